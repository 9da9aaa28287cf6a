"""The errors that are phrased for the person in front of the program."""


class ExplorerError(Exception):
    """Something the user can understand and act on.

    Every other exception that reaches the user is a defect and is shown as one.

    Args:
        message: One clear sentence that says what is wrong.
        hint: What the user can do about it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".rstrip())
        self.message = message
        self.hint = hint


class Cancelled(Exception):
    """The user no longer wants the answer: unwinds a computation, is never shown."""

"""The errors that are phrased for the person in front of the program."""


class ExplorerError(Exception):
    """Something the user can understand and act on.

    Every other exception that reaches the user is a defect and is shown as one.

    Args:
        message: One clear sentence that says what is wrong.
        hint: What the user can do about it; may be empty.
        instead: Names of what would do in the place of what was asked for, the best first.

    Attributes:
        about: What it is about, where whoever shows it can help: "network" = it cannot be had.
    """

    def __init__(self, message: str, hint: str = "", *, instead: tuple[str, ...] = ()) -> None:
        super().__init__(f"{message} {hint}".rstrip())
        self.message = message
        self.hint = hint
        self.instead = instead
        self.about = ""


class Cancelled(Exception):
    """The user no longer wants the answer: unwinds a computation, is never shown."""

"""The errors that are phrased for the person in front of the program."""


class ExplorerError(Exception):
    """Something the user can understand and act on.

    Every other exception that reaches the user is a defect and is shown as one.

    Args:
        message: One clear sentence that says what is wrong.
        hint: What the user can do about it; may be empty.
        instead: Names of what would do in the place of what was asked for, the best first.

    Attributes:
        about: What it is about, where the window can help: "network" = it cannot be had,
            "program" = nor without running its code, "incomplete" = the user has yet to choose
            something.
    """

    def __init__(self, message: str, hint: str = "", *, instead: tuple[str, ...] = ()) -> None:
        super().__init__(f"{message} {hint}".rstrip())
        self.message = message
        self.hint = hint
        self.instead = instead
        self.about = ""


class Incomplete(ExplorerError):
    """Something has still to be chosen or drawn: nothing has gone wrong.

    The command line ends as with any other error; the window invites the user to do it.
    """

    ABOUT = "incomplete"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.about = self.ABOUT


class Cancelled(Exception):
    """The result is no longer needed: unwinds a computation, is never shown."""

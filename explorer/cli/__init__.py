"""The command line. It imports what a sub-command needs only once it knows the sub-command."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import sys
import threading
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from explorer import __version__
from explorer.cli.console import OutputLost, complain, say
from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMMANDS = {
    "list": ("explorer.cli.listing", "list the views with their parameters, and the networks"),
    "render": ("explorer.cli.render", "run a view on photos and write pictures, data or a film"),
    "check": ("explorer.cli.check", "say what is in a file of weights or of a network"),
    "doctor": ("explorer.cli.doctor", "check what is installed, found and missing"),
    "batch": ("explorer.cli.batch", "run a view or compute features on whole folders"),
    "evaluate": ("explorer.cli.evaluate", "evaluate a network on photos with ground truth"),
    "onnx": ("explorer.cli.onnx", "show or set how an ONNX file is used"),
    "train": ("explorer.training.cli", "train one of the networks that ship with the program"),
}
"""Sub-command -> module with `add_parser(subparsers)` and `run(args)`, and a line of help."""


class Parser(argparse.ArgumentParser):
    """Prints the error in one sentence instead of printing the usage.

    Options may stand between the words, also where there may be no word at all.
    """

    _mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        chooses = any(action.nargs == argparse.PARSER for action in self._actions)
        if self._mixing or chooses:
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False

    def error(self, message: str) -> NoReturn:
        # argparse has no final full stop, and ours have.
        sentence = message[:1].upper() + message[1:].rstrip(".") + "."
        raise ExplorerError(sentence, f"See `{self.prog} --help`.")


def run(argv: Sequence[str]) -> int:
    """The program with these arguments; returns its exit status."""
    try:
        _check_working_folder()
        return _dispatch(list(argv))
    except ExplorerError as error:
        complain(error)
        return 2
    except OutputLost as lost:
        _let_go_of_stdout()
        complain(f"the output could not be written: {lost}.")
        return 2
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:
        _let_go_of_stdout()  # the reader of our output has closed it
        return 1
    except SystemExit as end:  # argparse, after --help or --version
        return end.code if isinstance(end.code, int) else 0


def _let_go_of_stdout() -> None:
    """Python would fail once more when it flushes at exit."""
    stdout = sys.__stdout__
    if stdout is not None and sys.stdout is stdout:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())


def _check_working_folder() -> None:
    """Libraries end the process, or worse, where the folder they were started in is gone."""
    try:
        os.getcwd()
    except OSError as error:
        raise ExplorerError(
            f"The working folder cannot be used: {error.strerror or error}.",
            "It was deleted or cannot be entered: change to another one.",
        ) from error


def _check_first_word(paths: Sequence[str]) -> None:
    """A word that is no file, but nearly a command, or a view, was meant as that.

    Raises:
        ExplorerError: It says what to write.
    """
    word = paths[0] if paths else ""
    if not re.fullmatch(r"[A-Za-z_]+", word) or os.path.lexists(word):
        return
    near = get_close_matches(word.lower(), COMMANDS, n=1, cutoff=0.7)
    if near:
        raise ExplorerError(
            f"There is no command and no file {word}.", f"Perhaps `explorer {near[0]}` was meant."
        )
    from explorer.views import current_name, discover

    view = current_name(word)
    if view in discover():
        raise ExplorerError(
            f"{word} is a view, not a command.",
            f"Write `explorer render {view} IMAGE -o FILE`, or `explorer --view {view} IMAGE` for "
            "the window.",
        )


def _dispatch(argv: list[str]) -> int:
    if argv and argv[0] in COMMANDS:
        module = import_module(COMMANDS[argv[0]][0])
        parser = Parser(prog="explorer", add_help=False)
        module.add_parser(parser.add_subparsers(parser_class=Parser, dest="command"))
        args = parser.parse_args(argv)
        with _ends_on_signals():
            return int(module.run(args))
    args = _window_parser().parse_args(argv)
    if args.version:
        say(f"Convnet Explorer {__version__}")
        return 0
    _check_first_word(args.paths)
    from explorer.ui.shell.app import main

    return main(args.paths, options=args)


_ENDING = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGXCPU") if hasattr(signal, name)
)


@contextlib.contextmanager
def _ends_on_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal unwind like Ctrl-C, so that half-written files are removed.

    What is ignored stays so: `nohup` lets a program outlive its terminal.
    """

    def end(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, end)
        for number in _ENDING
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _window_parser() -> Parser:
    commands = "\n".join(f"  explorer {name:9} {text}" for name, (_, text) in COMMANDS.items())
    parser = Parser(
        prog="explorer",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="See what a convolutional network computes, on your own photo.",
        epilog=f"without a window:\n{commands}\n\n"
        "Put ./ in front of a file that is named like one of these commands.",
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="photos and folders to open")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument(
        "--reset-settings", action="store_true", help="reset all settings to their defaults"
    )
    parser.add_argument("--network", help="network to start with, or an ONNX file")
    parser.add_argument("--view", help="view to start with")
    parser.add_argument("--device", help="device for this run: auto, cpu, cuda, cuda:1, mps…")
    parser.add_argument("--seed", type=int, help="random seed for this run")
    return parser

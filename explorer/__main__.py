"""`explorer` and `python -m explorer`: the window by default, else a sub-command."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns 0 = well, 1 = a problem, 2 = wrong input, 130 = Ctrl-C."""
    from explorer.cli import run

    return run(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    raise SystemExit(main())

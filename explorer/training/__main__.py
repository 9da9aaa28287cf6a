"""`python -m explorer.training NAME --data DIR`, on machines that have only torch."""

import argparse
import logging
import sys

from explorer.core.errors import ExplorerError
from explorer.training.cli import add_lesson, run_lesson


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m explorer.training")
    add_lesson(parser)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        return run_lesson(parser.parse_args())
    except ExplorerError as error:
        logging.getLogger(__name__).error("%s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())

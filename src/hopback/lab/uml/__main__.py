"""Run a command in a user-mode kernel; for developers.

usage: python -m hopback.lab.uml [-s SECONDS] [-m MIB] [-w FOLDER] [--] COMMAND [ARGUMENT ...]

Exit code: the command's; 128 + n when signal n ended it; 124 when time was up; 125 when the machine
did not come up.
"""

import argparse
import sys
from pathlib import Path

from hopback.lab.uml.boot import TimeUp, run
from hopback.lab.uml.find import UmlError

_TIME_UP, _NO_MACHINE = 124, 125


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hopback.lab.uml")
    parser.add_argument("-s", "--seconds", type=float, default=60.0, help="time limit")
    parser.add_argument("-m", "--memory", type=int, default=512, metavar="MIB")
    parser.add_argument("-w", "--writable", type=Path, metavar="FOLDER")
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def main() -> int:
    """Parse the command line, run, and turn the outcome into an exit code."""
    wanted = _arguments()
    try:
        finished = run(
            wanted.command,
            seconds=wanted.seconds,
            memory_mib=wanted.memory,
            writable=wanted.writable,
            output=sys.stdout.buffer,
            errors=sys.stderr.buffer,
        )
    except UmlError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return _TIME_UP if isinstance(error, TimeUp) else _NO_MACHINE
    return finished.code if finished.code >= 0 else 128 - finished.code


if __name__ == "__main__":
    sys.exit(main())

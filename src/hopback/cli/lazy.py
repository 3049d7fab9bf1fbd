"""A click group whose verbs are imported when they are used, and one boundary for all errors."""

import os
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

import click

from hopback import __version__
from hopback.cli import exits


class LazyGroup(click.Group):
    """``verbs`` maps a verb to the line that the group's help shows.

    The verb ``check`` is the click command ``command`` of ``hopback.cli.check``.
    """

    def __init__(self, verbs: Mapping[str, str], **settings: Any) -> None:
        super().__init__(**settings)
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order in which they were given."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb."""
        if cmd_name not in self.verbs:
            return None
        command: click.Command = import_module(f"hopback.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown verb names the known ones."""
        if args and args[0] not in self.verbs and not args[0].startswith("-"):
            raise click.UsageError(f"no verb {args[0]!r}; there are {', '.join(self.verbs)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs' lines, without importing the verbs."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(self.verbs.items()))

    def main(self, *args: Any, standalone_mode: bool = True, **settings: Any) -> Any:
        """Run a command line; what it returns, or raises, becomes the exit code."""
        run = partial(super().main, *args, **settings | {"standalone_mode": False})
        if not standalone_mode:
            return run()
        sys.exit(_bounded(run))


def _bounded(run: Callable[[], Any]) -> int:
    """``run``'s exit code, whatever happens in it."""
    _open_streams()
    try:
        code = run()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return exits.INTERRUPTED
    except Exception as error:
        _report(error)
        return exits.INTERNAL
    return code if isinstance(code, int) else exits.CLEAR


def _open_streams() -> None:
    """Stand-ins for standard streams that the caller has closed (``>&-``)."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115  (for good)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115


def _report(error: Exception) -> None:
    """One line to recognise the fault by, and what to send to those who can mend it."""
    if os.environ.get("HOPBACK_DEBUG"):
        traceback.print_exception(error)
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = ""
    if frame is not None:
        where = f" at {frame.tb_frame.f_globals.get('__name__')}:{frame.tb_lineno}"
    text = " ".join(str(error).split())
    click.echo(
        f"hopback {__version__}: internal error: {type(error).__name__}: {text}{where}\n"
        "This is a fault of hopback, not of your network. Please report this line, and what\n"
        "HOPBACK_DEBUG=1 with the same command prints.",
        err=True,
    )

"""The entry point: ``hopback VERB``."""

import click

from hopback import __version__
from hopback.cli.lazy import LazyGroup

main = LazyGroup(
    name="hopback",
    help=(
        "Finds the packets that come back: loops, reflections, and the packets that are lost"
        " because of them, on Linux virtual networks.\n\n"
        "SOURCE is a snapshot file, a directory of command output, a sosreport, a text into which"
        " somebody pasted what there was, 'live' (this host) or '-' (standard input)."
    ),
    epilog=(
        "Exit codes: 0 clear; 1 findings, or undecided; 2 usage; 3 a source could not be read;"
        " 4 internal error; 5 a fix could not be undone; 77 nothing could be read (or done) for"
        " lack of privilege."
    ),
    verbs={
        "check": "what comes back, why, and what to do",
        "trace": "follow a guest's packets hop by hop",
        "fix": "the proved plan and its undo; --apply to act",
        "lab": "rebuild it on a real kernel and see it happen",
        "collect": "write a snapshot of this host to a file",
        "explain": "the documentation of a check",
        "completion": "print a shell's completion script",
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            help="Print the version and exit.",
            callback=lambda ctx, _, value: _version(ctx) if value else None,
        )
    ],
)
"""The command line of hopback; calling it runs it and exits."""


def _version(ctx: click.Context) -> None:
    click.echo(f"hopback {__version__}")
    ctx.exit()

"""Writes docs/cli.md: the help of every verb."""

from collections.abc import Iterator
from pathlib import Path

import click

from hopback.cli.main import main

HEAD = "# The command line\n\nWritten by `make docs` from the program's own help.\n"


def section(
    command: click.Command, words: list[str], parent: click.Context | None
) -> Iterator[str]:
    """The help of ``command`` and of the commands below it, as Markdown."""
    context = click.Context(command, parent, info_name=words[-1], terminal_width=100)
    yield f"\n## {' '.join(words)}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from section(below, [*words, name], context)


if __name__ == "__main__":
    text = HEAD + "".join(section(main, ["hopback"], None))
    Path("docs/cli.md").write_text(text)

"""``hopback completion``: what a shell needs to complete hopback's command lines."""

import click
from click.shell_completion import get_completion_class

from hopback.cli.output import emit

_LINE = {
    "bash": 'eval "$(hopback completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(hopback completion zsh)"   in ~/.zshrc',
    "fish": "hopback completion fish > ~/.config/fish/completions/hopback.fish",
}


@click.command("completion", epilog="For instance: " + "; ".join(_LINE.values()))
@click.argument("shell", type=click.Choice(list(_LINE)))
@click.pass_context
def command(context: click.Context, shell: str) -> int:
    """Print the completion script of a shell."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  (click knows all three)
    group = context.find_root().command
    emit(kind(group, {}, "hopback", "_HOPBACK_COMPLETE").source().encode() + b"\n")
    return 0

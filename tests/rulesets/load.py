"""A ruleset into the kernel, without what nft or this kernel refuses, and its listings."""

import re
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

_TRIES = 60
_LINE = re.compile(r"^/dev/stdin:(\d+):", re.MULTILINE)


class Aborted(Exception):
    """nft fails an assertion of its own over some rulesets that it has loaded."""


class Listings(NamedTuple):
    """What nft printed of the ruleset, ``taken`` being the commands that were accepted."""

    taken: tuple[str, ...]
    text: str
    json: str


def load(commands: Sequence[str]) -> tuple[str, ...]:
    """Give commands to the namespace that the calling thread is in; those that it took."""
    left = list(commands)
    for _ in range(_TRIES):
        done = _nft("-f", "/dev/stdin", script="\n".join(left) + "\n")
        if done.returncode == 0:
            return tuple(left)
        refused = {int(number) - 1 for number in _LINE.findall(done.stderr)}
        assert refused, f"nft names no line: {done.stderr}"
        left = [line for at, line in enumerate(left) if at not in refused]
    raise AssertionError("nft refuses more and more")


def listings(commands: Sequence[str]) -> Listings:
    """Load and list in both forms; raises Aborted."""
    taken = load(commands)
    return Listings(taken, _listed("list", "ruleset"), _listed("-j", "list", "ruleset"))


def _listed(*words: str) -> str:
    done = _nft(*words)
    if done.returncode < 0:
        raise Aborted(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return done.stdout


def _nft(*words: str, script: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["nft", *words], input=script, capture_output=True, text=True, timeout=30, check=False
    )

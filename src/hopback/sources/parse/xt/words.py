"""A rule as its options: ``! -s 10.0.0.1 -m tcp --dport 22``."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"?|(\S+)')
_ESCAPED = re.compile(r"\\(.)")


class Option(NamedTuple):
    """An option with the words up to the next one; negated by ``!`` before or behind its name."""

    name: str
    values: tuple[str, ...] = ()
    negated: bool = False

    @property
    def value(self) -> str:
        """Its only value. Raises ValueError if it has none or several."""
        (value,) = self.values
        return value

    def __str__(self) -> str:
        return " ".join(("! " * self.negated + self.name, *self.values))


def options(text: str) -> list[Option]:
    """The options of a rule, in order; words before the first one are dropped.

    iptables-save quotes what has blanks, and escapes quotes and backslashes in it.
    """
    found: list[Option] = []
    name, values, negated, bang = "", list[str](), False, False
    for word, quoted in _words(text):
        if word == "!" and not quoted:
            bang = True
        elif word.startswith("-") and not quoted and not word[1:2].isdigit():
            if name:
                found.append(Option(name, tuple(values), negated))
            name, values, negated, bang = word, [], bang, False
        else:
            values.append(word)
            negated, bang = negated or bang, False
    if name:
        found.append(Option(name, tuple(values), negated))
    return found


def _words(text: str) -> list[tuple[str, bool]]:
    if '"' not in text:
        return [(word, False) for word in text.split()]
    return [
        (word, False) if word else (_ESCAPED.sub(r"\1", quoted), True)
        for quoted, word in _WORD.findall(text)
    ]


def said(found: Sequence[Option]) -> str:
    """The options as text."""
    return " ".join(map(str, found))

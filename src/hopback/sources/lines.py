"""Bytes of unknown origin as clean lines, one at a time."""

import re
from collections.abc import Iterable, Iterator

from hopback.snapshot.table import Problem
from hopback.sources.secrets import without_secrets

INPUT_MAX = 256 << 20
"""The most bytes read as one text."""

TOO_LARGE = f"larger than {INPUT_MAX >> 20} MiB, the most I read"

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements (ECMA-48 CSI)
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # window titles (OSC)
    r"|\x1b[()*+][A-Za-z0-9]|\x1b[ -/]*[0-~]?"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BOMS = ("\ufeff", "ÿþ", "þÿ")

# Controls that no text has. NUL is not one of them: UTF-16 is full of it, and logs have some.
_STRANGE = bytes(b for b in range(1, 32) if b not in b"\a\b\t\n\f\r\x1b")
_LOOKED_AT = 64 << 10
_STRANGE_SHARE = 0.03
_ENOUGH = 512


COMPLAINT = "!! "
"""What the collecting script puts before a line that a program wrote to standard error."""


class Refused(Exception):
    """The input ``name`` cannot be used at all; the message is meant for the user."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.problem = Problem(name, 0, reason)


class Lines:
    """The lines of a byte stream: decoded, without line ends, escapes and control characters.

    Iterate once; afterwards ``problems`` tells what had to be mended (first place and count, so
    that a binary file does not make a million problems). Raises Refused above ``INPUT_MAX``, and
    for what is plainly not text.
    """

    def __init__(self, stream: Iterable[bytes], name: str) -> None:
        self._stream = stream
        self._name = name
        self._first: dict[str, int] = {}
        self._count: dict[str, int] = {}

    def __iter__(self) -> Iterator[str]:
        size = strange = 0
        for number, raw in enumerate(self._stream, 1):
            size += len(raw)
            if size > INPUT_MAX:
                raise Refused(self._name, TOO_LARGE)
            if size <= _LOOKED_AT:
                strange += len(raw) - len(raw.translate(None, _STRANGE))
                if size >= _ENOUGH and strange > size * _STRANGE_SHARE:
                    raise Refused(self._name, "binary, not text")
            yield without_secrets(self._clean(raw, number))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was mended, each kind once."""
        return tuple(
            Problem(self._name, line, f"{what} ({self._count[what]} such lines)")
            for what, line in self._first.items()
        )

    def _note(self, what: str, number: int) -> None:
        self._first.setdefault(what, number)
        self._count[what] = self._count.get(what, 0) + 1

    def _clean(self, raw: bytes, number: int) -> str:
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            line = raw.decode("latin-1")
            self._note("not UTF-8: read as Latin-1", number)
        if number == 1:
            for bom in _BOMS:
                line = line.removeprefix(bom)
        line = line.rstrip("\r\n")
        if line.isprintable():
            return line
        if "\0" in line:
            self._note("NUL bytes dropped", number)
        if "\x1b" in line:
            line = _ESCAPES.sub("", line)
        return _CONTROLS.sub("", line)


def is_cut(line: str) -> bool:
    """Whether the line says that somebody left something out."""
    return _CUT.search(line) is not None


_CUT = re.compile(
    r"\[\s*(?:\.{2,}|…|snip(?:ped)?|cut|truncated)\s*\]|…"
    r"|[<(*]\s*(?:\.\.\.|snip(?:ped)?|cut|truncated|output omitted)\s*[>)*]"
    r"|-{2,}\s*(?:cut|snip|8<)|\A\s*\.{2,}\s*\Z|\A\s*-+\s*>?8\s*<?-",
    re.IGNORECASE,
)

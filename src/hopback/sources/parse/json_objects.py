"""JSON output of iproute2, also when it was cut off or is not quite JSON.

Old versions of ``ip -j`` leave holes (``[{},{}``), people cut long lines, and errors get between:
what is whole is used, and one problem speaks for the rest.
"""

import json
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from hopback.snapshot.table import Problem
from hopback.sources.parse.base import At, Text

T = TypeVar("T")

# Each failure may rescan what is left: a broken text does not get to do that for ever.
_FAILURES_MAX = 64


def is_json(text: Text) -> bool:
    """Whether the listing is the JSON twin (``[LINK]5: …`` of a monitor is not)."""
    first = next((line.lstrip() for _, line in text.numbered()), "")
    return first.startswith(("{", "[{", "[]", "[ {")) or first.rstrip() == "["


def objects(text: Text, kind: type[T]) -> tuple[list[tuple[At, T]], list[Problem]]:
    """The objects that can be read as ``kind``, each with the place where it begins."""
    filled = list(text.numbered())
    if len(filled) == 1:
        try:
            whole = msgspec.json.decode(filled[0][1], type=list[kind])  # type: ignore[valid-type]
            return [(At(filled[0][0], n), item) for n, item in enumerate(whole, 1)], []
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            pass  # one by one, then
    found: list[tuple[At, T]] = []
    problems: list[Problem] = []
    for number, (index, value) in enumerate(_values(text), 1):
        try:
            if value is None:
                raise msgspec.ValidationError("the JSON is broken or cut here")
            if value:  # old ip prints {} for what its filter leaves out
                found.append((At(index, number), msgspec.convert(value, kind)))
        except (msgspec.ValidationError, OverflowError, UnicodeError) as error:
            problems = problems or [text.problem(index, str(error))]
    return found, problems


def _values(text: Text) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Every outermost object that is whole, and None for what is broken."""
    joined = "\n".join(text.lines)
    decode = json.JSONDecoder().raw_decode
    place = index = seen = failures = 0
    while (start := joined.find("{", place)) >= 0:
        index += joined.count("\n", seen, start)
        seen = start
        try:
            value, place = decode(joined, start)
            yield index, value
        except (ValueError, RecursionError):
            yield index, None
            failures += 1
            if failures == _FAILURES_MAX:
                return
            place = start + 1  # objects inside a cut one may be whole
    if failures == 0 and (tail := joined[place:].strip()) and "]" not in tail:
        yield index + joined.count("\n", seen, place), None

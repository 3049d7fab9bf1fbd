"""Variables of nwfilters: ``$IP`` may stand for several values, and then makes several rules."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product

from hopback.snapshot.rows import NwItem, Parameters

Variables = Mapping[str, tuple[str, ...]]

_ACCESS = re.compile(r"\$(?P<name>\w+)(?:\[(?P<way>@?)(?P<number>\d{1,6})\])?")
_COMBINATIONS_MAX = 1000


def variables_of(parameters: Parameters) -> dict[str, tuple[str, ...]]:
    """The values of each name, in order."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in parameters:
        found[name] = (*found.get(name, ()), value)
    return found


def missing(items: Sequence[NwItem], variables: Variables) -> tuple[str, ...]:
    """Names that a rule asks for and nothing states."""
    names = (found["name"] for item in items if (found := _ACCESS.fullmatch(item.value)))
    return tuple(dict.fromkeys(name for name in names if name not in variables))


def combinations(items: Sequence[NwItem], variables: Variables) -> Iterator[tuple[NwItem, ...]]:
    """The items with values for variables, once for each combination of values.

    Variables of one iterator (``$A[@1]``; ``$A`` alone is of iterator 0) go through their values
    together, different iterators through all pairs, the first the fastest; ``$A[1]`` is the second
    value (src/conf/nwfilter_params.c: virNWFilterVarCombIterNext). What is not known stays as it
    is.
    """
    turns = _turns(items, variables)
    ids = list(turns)
    seen: set[tuple[str, ...]] = set()
    turning = product(*(range(turns[one]) for one in reversed(ids)))
    for numbers in islice(turning, _COMBINATIONS_MAX):
        at = dict(zip(reversed(ids), numbers, strict=True))
        filled = tuple(_filled(item, variables, at) for item in items)
        values = tuple(item.value for item in filled)
        if values not in seen:
            seen.add(values)
            yield filled


def _turns(items: Sequence[NwItem], variables: Variables) -> dict[str, int]:
    """How many values each iterator goes through: as many as the shortest of its variables has."""
    turns: dict[str, int] = {}
    for item in items:
        found = _ACCESS.fullmatch(item.value)
        if found is None or found["name"] not in variables or _is_element(found):
            continue
        iterator = found["number"] or "0"
        count = len(variables[found["name"]])
        turns[iterator] = min(turns.get(iterator, count), count)
    return turns


def _is_element(found: re.Match[str]) -> bool:
    return found["number"] is not None and not found["way"]


def _filled(item: NwItem, variables: Variables, at: Mapping[str, int]) -> NwItem:
    found = _ACCESS.fullmatch(item.value)
    if found is None or found["name"] not in variables:
        return item
    values = variables[found["name"]]
    number = int(found["number"]) if _is_element(found) else at[found["number"] or "0"]
    if number >= len(values):
        return item
    return NwItem(item.name, values[number], item.negated)

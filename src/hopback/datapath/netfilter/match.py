"""Whether a packet's fields compare with the values of a rule (net/netfilter/nft_cmp.c …)."""

from collections.abc import Sequence
from typing import TypeVar

from hopback.datapath.netfilter.fields import Found, Undecided
from hopback.datapath.netfilter.ruleset import Lookup
from hopback.snapshot.rows import Element, Field, Match, Span, Value

T = TypeVar("T")

_NEGATED = ("!=", "lacks")
ANY = "*"
"""The element of a set that takes whatever no other takes."""

_UNTOLD = frozenset(("assured", "confirmed", "dying", "helper", "offload"))
"""Words of ``ct status`` that the model does not follow."""


def masked(field: Field, found: Found) -> Found:
    """The field's value as the rule takes it."""
    return found & field.mask if field.mask is not None and isinstance(found, int) else found


def compares(step: Match, found: Sequence[Found], lookup: Lookup | None) -> bool:
    """Whether values of the fields, all of them there, satisfy the step.

    Raises Undecided where the set was not listed to its end, or a word is not in the model.
    """
    if step.op in ("<", "<=", ">", ">="):
        return _is_ordered(step, found[0])
    if step.set:
        hit = lookup is not None and position(lookup, found) is not None
        if not hit and (lookup is None or not lookup.row.whole):
            raise Undecided
    else:
        hit = any(fits(element, found, step.op) for element in step.values)
    return hit != (step.op in _NEGATED)


def _is_ordered(step: Match, found: Found) -> bool:
    limit = step.values[0][0] if step.values else None
    if not isinstance(found, int) or not isinstance(limit, int):
        raise Undecided
    if step.op in ("<", "<="):
        return found < limit or (step.op == "<=" and found == limit)
    return found > limit or (step.op == ">=" and found == limit)


def fits(element: Element, found: Sequence[Found], op: str = "==") -> bool:
    """Whether each value is the element's, or in its range; has and lacks look for common bits."""
    return len(element) == len(found) and all(map(_fits, element, found, [op] * len(element)))


def _fits(value: Value, found: Found, op: str) -> bool:
    if value == ANY:
        return True
    if isinstance(found, frozenset):
        if value in _UNTOLD:
            raise Undecided
        return value in found
    if isinstance(value, Span):
        return isinstance(found, int) and value.first <= found <= value.last
    if isinstance(value, int) and isinstance(found, int):
        return bool(value & found) if op in ("has", "lacks") else value == found
    if isinstance(value, str) and isinstance(found, str):
        return found.startswith(value[:-1]) if value.endswith("*") else value == found
    raise Undecided


def position(lookup: Lookup, found: Sequence[Found]) -> int | None:
    """Which element of the set the values are."""
    key = tuple(found)
    number = lookup.exact.get(key)  # type: ignore[arg-type]  # of what it cannot hold it has none
    if number is not None:
        return number
    return next((number for element, number in lookup.ranged if fits(element, found)), None)


def first_entry(entries: Sequence[tuple[Element, T]], found: Sequence[Found]) -> T | None:
    """What a map that is part of the rule has for the values."""
    return next((value for element, value in entries if fits(element, found)), None)

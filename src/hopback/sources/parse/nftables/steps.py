"""Statements of the tree as steps of a rule."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from hopback.snapshot.rows import (
    Choice,
    Element,
    Field,
    Match,
    Notrack,
    Opaque,
    Operator,
    Step,
    Unsure,
    Verdict,
)
from hopback.sources.parse.nftables import changes
from hopback.sources.parse.nftables.fields import Side, sides
from hopback.sources.parse.nftables.tokens import joined
from hopback.sources.parse.nftables.types import FLAGS, is_told
from hopback.sources.parse.nftables.values import Unknown, element, number, value

_VERDICTS = frozenset({"accept", "drop", "return", "continue", "reject", "queue"})
_NATS = frozenset({"snat", "dnat", "masquerade", "redirect"})
_UNSURE = frozenset({"limit", "quota", "ct count"})
_IDLE = frozenset(
    {"counter", "log", "last", "comment", "ct helper", "ct timeout", "ct expectation", "secmark"}
)
_ORDERED: dict[str, Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}


class Statement(NamedTuple):
    """One statement: its tree, and the words that it was written in (none if as JSON)."""

    tree: Any
    words: Sequence[str] = ()

    @property
    def text(self) -> str:
        """What to show of it."""
        return joined(self.words) if self.words else compact(self.tree)


def compact(tree: Any) -> str:
    """A tree as JSON without blanks."""
    return json.dumps(tree, separators=(",", ":"))


def steps(statement: Statement, pairs: Mapping[str, int], family: str = "inet") -> tuple[Step, ...]:
    """What a statement does to the packet; nothing for those that only count or log.

    ``pairs``: how many values the data of each named map of the table has. ``family``: its own.
    """
    try:
        return _steps(statement, pairs, family)
    except (Unknown, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return (Opaque(statement.text),)  # also for JSON that is not as its schema says


def _steps(statement: Statement, pairs: Mapping[str, int], family: str) -> tuple[Step, ...]:
    ((name, inner),) = statement.tree.items()
    if name in _IDLE:
        if isinstance(inner, dict) and "map" in inner:
            raise Unknown("a lookup ends the rule where it finds nothing")
        return ()
    if name == "reject":
        return _reject(inner, family)
    if name in _VERDICTS or name in ("jump", "goto"):
        return (verdict(statement.tree),)
    if name in _UNSURE:
        return (Unsure(statement.text),)
    if name in _NATS:
        return changes.nat(name, inner, pairs)
    if found := _OTHERS.get(name):
        return found(inner, statement)
    raise Unknown(name)


def _reject(inner: Any, family: str) -> tuple[Step, ...]:
    """nft does not list what packets must be for the answer to fit them (``meta nfproto ipv6``)."""
    kind = str(inner.get("type")) if isinstance(inner, dict) else ""
    key, number = _ANSWERED.get(kind, ("", 0))
    if not key or key.partition(" ")[0] == family:
        return (Verdict("reject"),)
    return Match((Field(key),), ((number,),)), Verdict("reject")


_ANSWERED = {
    "icmp": ("ip version", 4),
    "icmpv6": ("ip6 version", 6),
    "tcp reset": ("meta l4proto", 6),
}


def verdict(tree: Any) -> Verdict:
    """``{"drop": null}``, ``{"jump": {"target": …}}``; raises Unknown."""
    ((name, inner),) = tree.items()
    if name in ("jump", "goto"):
        return Verdict(name, str(inner["target"]))
    if name not in _VERDICTS:
        raise Unknown(name)
    return Verdict(name)


def _match(inner: Any, statement: Statement) -> tuple[Step, ...]:
    found = sides(inner["left"])
    if not all(is_told(side.key) for side in found):
        return (Unsure(statement.text),)
    fields = tuple(side.field for side in found)
    right, operator = inner["right"], inner["op"]
    several = isinstance(right, dict) and "set" in right
    named = isinstance(right, str) and right.startswith("@")
    kind = found[0].kind if len(found) == 1 else ""
    if operator == "" or (operator == "in" and several):  # text says nothing for both
        operator = "in" if kind in FLAGS and not several and not named else "=="
    if operator in ("in", "!"):
        return (_bits(fields, kind, right, operator == "in"),)
    if operator in _ORDERED:
        if len(found) != 1 or found[0].xor or found[0].shift < 0:
            raise Unknown("an order of what was computed")
        bound = found[0].before(number(kind, right))
        return (Match(fields, ((bound,),), _ORDERED[operator]),)
    op: Operator = "==" if operator == "==" else "!="
    if operator not in ("==", "!=") or (named and not all(side.plain for side in found)):
        raise Unknown("an operator")
    if named:
        return (Match(fields, (), op, right[1:]),)
    if kind == "ct_status" or (kind == "ct_state" and isinstance(right, list)):
        raise Unknown("several bits at once")
    values = tuple(_element(found, one) for one in (right["set"] if several else (right,)))
    return (Match(fields, values, op),)


def _element(found: Sequence[Side], tree: Any) -> Element:
    values = element([side.kind for side in found], tree)
    return tuple(side.before(one) for side, one in zip(found, values, strict=True))


def _bits(fields: tuple[Field, ...], kind: str, right: Any, any_set: bool) -> Match:
    """A match that asks whether any of some bits is set. A connection has one state only."""
    if len(fields) != 1 or fields[0].mask is not None:
        raise Unknown("bits of what was computed")
    words = right if isinstance(right, list) else [right]
    if kind in ("ct_state", "ct_status"):
        values = tuple((value(kind, one),) for one in words)
        if kind == "ct_state":
            return Match(fields, values, "==" if any_set else "!=")
    else:
        values = ((number(kind, right),),)
    return Match(fields, values, "has" if any_set else "lacks")


def _choice(inner: Any, _statement: Statement) -> tuple[Step, ...]:
    found = sides(inner["key"])
    fields = tuple(side.field for side in found)
    data = inner["data"]
    if isinstance(data, str) and data.startswith("@"):
        if not all(side.plain for side in found):
            raise Unknown("a computed key of a map")
        return (Choice(fields, map=data[1:]),)
    entries = [(_element(found, left), verdict(right)) for left, right in data["set"]]
    return (Choice(fields, tuple(sorted(entries, key=changes.is_any))),)


def _set_update(inner: Any, statement: Statement) -> tuple[Step, ...]:
    """``update @seen { ip saddr limit rate 1/second }``: only such conditions decide anything."""
    within = inner.get("stmt") or ()
    names = {name for one in (within if isinstance(within, list) else [within]) for name in one}
    if names <= {"counter", "last"}:
        return ()
    if names <= _UNSURE | {"counter", "last"}:
        return (Unsure(statement.text),)
    raise Unknown("what is done to the element")


_OTHERS: dict[str, Callable[[Any, Statement], tuple[Step, ...]]] = {
    "match": _match,
    "vmap": _choice,
    "mangle": lambda inner, _statement: changes.mangle(inner),
    "notrack": lambda _inner, _statement: (Notrack(),),
    "set": _set_update,
    "map": _set_update,
    "meter": _set_update,
}

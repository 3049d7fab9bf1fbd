"""Statements that change the packet or its connection: ``… set …``, ``dnat to …``."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from hopback.snapshot.rows import Field, Mangle, Mapped, Match, Nat, Step, Value
from hopback.sources.parse.nftables.fields import key, sides
from hopback.sources.parse.nftables.types import type_of
from hopback.sources.parse.nftables.values import ANY, Unknown, element, number, value

_MARK = (1 << 32) - 1
_DEPTH_MAX = 32
_UNSEEN = frozenset({"meta nftrace", "meta secmark", "ct label", "ct event", "ct secmark"})
"""Fields that change nothing about where the packet goes."""

_FAMILIES = {"ip": "ipv4", "ip6": "ipv6"}
_PLAIN_FLAGS = frozenset({"random", "fully-random", "persistent"})


class _Sum(NamedTuple):
    """The XOR of masked fields and a constant."""

    fields: Mapping[str, int]
    xor: int = 0

    @property
    def bits(self) -> int:
        """Every bit that may be set."""
        found = self.xor
        for mask in self.fields.values():
            found |= mask
        return found

    def masked(self, mask: int) -> "_Sum":
        """``self & mask``."""
        return _Sum({name: bits & mask for name, bits in self.fields.items()}, self.xor & mask)


def mangle(tree: Any) -> tuple[Step, ...]:
    """``KEY set VALUE``; raises Unknown for a value that is looked up or made by chance."""
    target = key(tree["key"])
    if target in _UNSEEN:
        return ()
    kind = "packet_type" if target == "meta pkttype" else type_of(target)
    found = _sum(kind, tree["value"])
    own = found.fields.get(target, 0)
    others = {name: mask for name, mask in found.fields.items() if name != target}
    if len(others) > 1:
        raise Unknown("made of several fields")
    source, mask = next(iter(others.items()), ("", 0))
    return (Mangle(target, found.xor, own, source, mask),)


def _sum(kind: str, tree: Any, depth: int = 0) -> _Sum:
    if depth > _DEPTH_MAX:
        raise Unknown("nested too deep")
    if isinstance(tree, dict) and len(tree) == 1:
        operator, inner = next(iter(tree.items()))
        if operator in ("&", "|", "^") and isinstance(inner, list) and len(inner) > 1:
            found = _sum(kind, inner[0], depth + 1)
            for part in inner[1:]:
                found = _combined(operator, found, _sum(kind, part, depth + 1))
            return found
        if operator not in ("map", "range", "prefix", "elem"):
            return _Sum({key(tree): _MARK})
    return _Sum({}, number(kind, tree))


def _combined(operator: str, left: _Sum, right: _Sum) -> _Sum:
    if operator == "&":
        if left.fields and right.fields:
            raise Unknown("two fields ANDed")
        mask, rest = (left, right) if right.fields else (right, left)
        return rest.masked(mask.xor)
    if operator == "|":
        if not left.fields:
            left, right = right, left
        if not right.fields:
            left = left.masked(~right.xor)
        elif left.bits & right.bits:
            raise Unknown("two fields that overlap")
    if left.fields.keys() & right.fields.keys():
        raise Unknown("a field that comes twice")
    return _Sum({**left.fields, **right.fields}, left.xor ^ right.xor)


def nat(kind: Any, tree: Any, pairs: Mapping[str, int]) -> tuple[Step, ...]:
    """``snat``, ``dnat``, ``masquerade``, ``redirect``; ``pairs`` tells how many values the data
    of each named map has. The rule ends for packets of another family than the stated one.
    """
    tree = tree or {}
    if not isinstance(tree, dict):
        raise Unknown("not a translation")
    if not _words(tree.get("flags")) <= _PLAIN_FLAGS or "prefix" in _words(tree.get("type_flags")):
        raise Unknown("netmap")
    address, port = tree.get("addr"), tree.get("port")
    both = None
    if port is None and (found := _map(address)) and _data_size(found, pairs) == 2:
        both, address = mapped(found, ("ip_addr", "inet_service")), None
    step = Nat(kind, _part(address, "ip_addr"), _part(port, "inet_service"), both)
    family = _FAMILIES.get(tree.get("family", ""))
    return (Match((Field("meta nfproto"),), ((family,),)), step) if family else (step,)


def _words(flags: Any) -> frozenset[str]:
    return frozenset((flags,) if isinstance(flags, str) else flags or ())


def _map(tree: Any) -> dict[str, Any] | None:
    """The map that a value is looked up in."""
    found = tree.get("map") if isinstance(tree, dict) else None
    return found if isinstance(found, dict) else None


def _part(tree: Any, kind: str) -> Value | Mapped | None:
    if tree is None:
        return None
    if lookup := _map(tree):
        return mapped(lookup, (kind,))
    found = value(kind, tree)
    if isinstance(found, str):
        raise Unknown("not an address or port")
    return found


def _data_size(tree: Any, pairs: Mapping[str, int]) -> int:
    """How many values the map gives at once."""
    data = tree.get("data")
    if isinstance(data, str):
        return pairs.get(data.removeprefix("@"), 1)
    entries = data.get("set") if isinstance(data, dict) else None
    first = entries[0][1] if entries and isinstance(entries[0], list) else None
    return len(first["concat"]) if isinstance(first, dict) and "concat" in first else 1


def mapped(tree: Any, kinds: tuple[str, ...]) -> Mapped:
    """``FIELDS map { … }``; ``kinds`` are the types of what it gives."""
    found = sides(tree["key"])
    fields = tuple(one.field for one in found)
    data = tree["data"]
    if not all(one.plain for one in found):
        raise Unknown("a computed key of a map")
    if isinstance(data, str) and data.startswith("@"):
        return Mapped(fields, map=data[1:])
    keys = [one.kind for one in found]
    entries = [(element(keys, left), element(kinds, right)) for left, right in data["set"]]
    return Mapped(fields, tuple(sorted(entries, key=is_any)))


def is_any(entry: tuple[Any, ...]) -> bool:
    """Whether an entry is the catch-all, which comes last."""
    return ANY in entry[0]

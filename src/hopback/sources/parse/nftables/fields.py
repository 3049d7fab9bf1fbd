"""The left side of a match: which fields, and what was done to them before they are compared."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from hopback.snapshot.rows import Field, Span, Value
from hopback.sources.parse.nftables.types import type_of
from hopback.sources.parse.nftables.values import Unknown, number

_DEPTH_MAX = 32
_WIDTH = 32  # of what is ever shifted to the left: marks
_OPERATORS = ("&", "|", "^", "<<", ">>")
_WIDE = frozenset({"ip_addr", "ether_addr"})


class Side(NamedTuple):
    """A field and ``(field & mask ^ xor) >> shift`` of it (``<<`` where shift is negative)."""

    key: str
    mask: int | None = None
    xor: int = 0
    shift: int = 0

    @property
    def kind(self) -> str:
        """Its data type."""
        return type_of(self.key)

    @property
    def plain(self) -> bool:
        """Whether values can be compared as they are."""
        return not self.xor and not self.shift

    @property
    def field(self) -> Field:
        """What a row says of it: values have to be given through ``before``."""
        mask = self.mask
        if self.shift > 0:
            low = (1 << self.shift) - 1
            mask = ~low & (mask if mask is not None else (1 << _WIDTH) - 1)
        elif self.shift < 0:
            mask = (mask if mask is not None else -1) & ((1 << _WIDTH) - 1 >> -self.shift)
        return Field(self.key, mask)

    def before(self, value: Value) -> Value:
        """What the masked field is when the expression is ``value``; raises Unknown."""
        if self.plain:
            return value
        if isinstance(value, str) or (isinstance(value, Span) and (self.xor or self.shift < 0)):
            raise Unknown("a value that cannot be traced back to its field")
        if isinstance(value, Span):
            return Span(value.first << self.shift, (value.last + 1 << self.shift) - 1)
        if self.shift < 0:
            if value & ((1 << -self.shift) - 1):
                raise Unknown("bits that shifting has cleared")
            return value >> -self.shift ^ self.xor & ((1 << _WIDTH) - 1 >> -self.shift)
        # what was shifted out is masked away, of xor too
        return value << self.shift ^ (self.xor >> self.shift << self.shift)


def sides(tree: Any) -> tuple[Side, ...]:
    """The fields of an expression, several for a concatenation; raises Unknown."""
    if isinstance(tree, dict) and isinstance(parts := tree.get("concat"), list):
        return tuple(side(part) for part in parts)
    return (side(tree),)


def side(tree: Any, depth: int = 0) -> Side:
    """One field with what is done to it."""
    if not isinstance(tree, dict) or len(tree) != 1 or depth > _DEPTH_MAX:
        raise Unknown("not a field")
    ((name, inner),) = tree.items()
    if name in _OPERATORS and isinstance(inner, list) and inner:
        found = side(inner[0], depth + 1)
        for part in inner[1:]:
            found = _applied(found, name, number(found.kind, part))
        return found
    if name == "prefix":
        return _network(side(inner["addr"], depth + 1), inner["len"])
    return _plain(key(tree))


@lru_cache(maxsize=1 << 10)
def _plain(name: str) -> Side:
    return Side(name)


def _network(side: Side, length: Any) -> Side:
    width = 128 if side.key.startswith("ip6") else 32
    if side.kind != "ip_addr" or not isinstance(length, int) or not 0 <= length <= width:
        raise Unknown("not a prefix")
    return _applied(side, "&", (1 << width) - (1 << width - length))


def _applied(side: Side, operator: str, constant: int) -> Side:
    """One more operation on what ``side`` already is, with the constant moved before its shift."""
    if operator in ("|", "<<", ">>") and (side.kind in _WIDE or side.key.startswith("@")):
        raise Unknown("wider than a mark")
    if operator in ("<<", ">>"):
        if side.shift or not 0 <= constant < _WIDTH:
            raise Unknown("shifted twice")
        return side._replace(shift=constant if operator == ">>" else -constant)
    if side.shift < 0 and constant & ((1 << -side.shift) - 1) and operator != "&":
        raise Unknown("bits below a shifted field")
    moved = constant << side.shift if side.shift >= 0 else constant >> -side.shift
    mask, xor = side.mask, side.xor
    if operator == "^":
        return side._replace(xor=xor ^ moved)
    if operator == "&":
        return side._replace(mask=moved if mask is None else mask & moved, xor=xor & moved)
    kept = ~moved & ((1 << _WIDTH) - 1 if mask is None else mask)
    return side._replace(mask=kept, xor=xor & ~moved | moved)


def key(tree: Any) -> str:
    """The name of a field in nft's words; raises Unknown."""
    if isinstance(tree, dict) and len(tree) == 1:
        name, inner = next(iter(tree.items()))
        inner = {"key": inner} if isinstance(inner, str) else inner
        if name in _KEYS and isinstance(inner, dict):
            try:
                return _KEYS[name](inner)
            except (KeyError, TypeError) as error:
                raise Unknown(f"{name} without {error}") from None
    raise Unknown("not a field")


def _words(*words: Any) -> str:
    return " ".join(str(word) for word in words if word not in (None, ""))


_SPELLED = {"ibriport": "ibrname", "obriport": "obrname", "secpath": "ipsec", "cfi": "dei"}
"""Names of fields that had another one in older versions."""


def _payload(inner: dict[str, Any]) -> str:
    if "base" in inner:
        return f"@{inner['base']},{inner['offset']},{inner['len']}"
    protocol, tunnel = inner["protocol"], inner.get("tunnel")
    field = _SPELLED.get(inner["field"], inner["field"])
    return _words(None if tunnel == protocol else tunnel, protocol, field)


def _meta(inner: dict[str, Any]) -> str:
    return _words("meta", _SPELLED.get(inner["key"], inner["key"]))


def _ct(inner: dict[str, Any]) -> str:
    return _words("ct", inner.get("dir"), inner.get("family"), inner["key"])


def _fib(inner: dict[str, Any]) -> str:
    flags = inner["flags"]
    return _words("fib", flags if isinstance(flags, str) else " . ".join(flags), inner["result"])


def _option(kind: str) -> Callable[[dict[str, Any]], str]:
    def name(inner: dict[str, Any]) -> str:
        if "base" in inner:
            base, place = inner["base"], (inner["offset"], inner["len"])
            return f"{kind} {base}" if place == (0, 8) else f"{kind} @{base},{place[0]},{place[1]}"
        return _words(kind, inner.get("name", inner.get("type")), inner.get("field"))

    return name


def _exthdr(inner: dict[str, Any]) -> str:
    name = _words(inner["name"], inner.get("field"))
    return name if "field" in inner else f"exthdr {name}"


def _ipsec(inner: dict[str, Any]) -> str:
    number = inner.get("spnum") or None
    return _words(
        "ipsec", inner["dir"], number and f"spnum {number}", inner.get("family"), inner["key"]
    )


def _numgen(inner: dict[str, Any]) -> str:
    return _words("numgen", inner["mode"], "mod", inner["mod"], _offset(inner))


def _hash(name: str) -> Callable[[dict[str, Any]], str]:
    def words(inner: dict[str, Any]) -> str:
        of = " . ".join(side.key for side in sides(inner["expr"])) if "expr" in inner else ""
        seed = f"seed {inner['seed']:#x}" if isinstance(inner.get("seed"), int) else ""
        return _words(name, of, "mod", inner["mod"], seed, _offset(inner))

    return words


def _offset(inner: dict[str, Any]) -> str:
    return f"offset {inner['offset']}" if inner.get("offset") else ""


_KEYS: dict[str, Callable[[dict[str, Any]], str]] = {
    "payload": _payload,
    "meta": _meta,
    "ct": _ct,
    "fib": _fib,
    "rt": lambda inner: _words("rt", inner.get("family"), inner["key"]),
    "socket": lambda inner: _words("socket", inner["key"]),
    "osf": lambda inner: _words("osf", inner.get("ttl") and f"ttl {inner['ttl']}", inner["key"]),
    "ipsec": _ipsec,
    "exthdr": _exthdr,
    "tcp option": _option("tcp option"),
    "ip option": _option("ip option"),
    "sctp chunk": _option("sctp chunk"),
    "dccp option": _option("dccp option"),
    "numgen": _numgen,
    "jhash": _hash("jhash"),
    "symhash": _hash("symhash"),
}

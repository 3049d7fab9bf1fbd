"""Values of the tree as values of rows: by the data type of the field that they are compared to."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from hopback.snapshot.rows import Element, Span, Value
from hopback.sources.parse.fields import mac_or_none
from hopback.sources.parse.nftables.symbols import PACKET_TYPES, SYMBOLS

TEXT = frozenset(
    {"ifname", "ifindex", "string", "ct_state", "ct_dir", "ct_status", "nf_proto", "fib_type"}
    | {"pkt_type"}
)
"""Types whose values stay words."""

ANY = "*"
"""The catch-all element of a set or map."""

WIDTHS = {"mark": 32, "inet_service": 16, "ether_addr": 48}
_DEPTH_MAX = 32
_DASHES_MAX = 8
_NAME_MAX = 15  # IFNAMSIZ, and longer than all other words
_HANDLE = re.compile(r"([0-9a-f]{0,4}):([0-9a-f]{0,4})")
_DIGITS_MAX = 48  # of a raw value of 128 bits, decimal


class Unknown(ValueError):
    """Something in the tree that was not understood; what holds it becomes opaque."""


def value(kind: str, tree: Any, depth: int = 0) -> Value:
    """A single value, a range or a prefix; raises Unknown."""
    if isinstance(tree, int):
        return int(tree)
    if isinstance(tree, str):
        return word(kind, tree)
    if depth > _DEPTH_MAX:
        raise Unknown("nested too deep")
    if isinstance(tree, list):  # flags: syn,ack
        return _folded("|", [number(kind, part, depth) for part in tree])
    match tree:
        case {"range": [first, last]} if kind not in TEXT:
            return _span(number(kind, first, depth), number(kind, last, depth))
        case {"prefix": {"addr": base, "len": int(length)}}:
            return _prefix(kind, number(kind, base, depth), length, base)
        case {"elem": {"val": inner}}:
            _check_element(tree["elem"])
            return value(kind, inner, depth + 1)
        case {"|": list(parts)} | {"&": list(parts)} | {"^": list(parts)}:
            numbers = [number(kind, part, depth) for part in parts]
            return _folded(next(iter(tree)), numbers)
    raise Unknown("not a value")


def number(kind: str, tree: Any, depth: int = 0) -> int:
    """A value that is one number."""
    found = value(kind, tree, depth + 1)
    if not isinstance(found, int):
        raise Unknown("not a number")
    return found


def element(kinds: Sequence[str], tree: Any) -> Element:
    """One value for each of ``kinds``; a catch-all is one in each."""
    if isinstance(tree, dict) and "elem" in tree:
        _check_element(tree["elem"])
        tree = tree["elem"].get("val")
    if tree == ANY:
        return (ANY,) * len(kinds)
    if isinstance(tree, dict) and isinstance(parts := tree.get("concat"), list):
        if len(parts) != len(kinds):
            raise Unknown("not as many values as fields")
        return tuple(value(kind, part) for kind, part in zip(kinds, parts, strict=True))
    if len(kinds) != 1:
        raise Unknown("not as many values as fields")
    return (value(kinds[0], tree),)


_HARMLESS = frozenset({"val", "timeout", "expires", "comment", "counter", "last"})


def _check_element(inner: Any) -> None:
    """An element may hold a limit or a quota of its own: then finding it is not enough."""
    if not isinstance(inner, dict) or not inner.keys() <= _HARMLESS:
        raise Unknown("a set's element with a condition")


def _folded(operator: str, numbers: Sequence[int]) -> int:
    if not numbers:
        raise Unknown("no value")
    found = numbers[0]
    for one in numbers[1:]:
        found = found | one if operator == "|" else found & one if operator == "&" else found ^ one
    return found


def _span(first: int, last: int) -> Value:
    if first > last:
        raise Unknown("a range that ends before it begins")
    return Span(first, last)


def _prefix(kind: str, base: int, length: int, written: Any) -> Value:
    width = WIDTHS.get(kind) or (128 if isinstance(written, str) and ":" in written else 32)
    if kind not in (*WIDTHS, "ip_addr") or not 0 <= length <= width:
        raise Unknown("not a prefix")
    rest = (1 << width - length) - 1
    return Span(base & ~rest, base | rest)


@lru_cache(maxsize=1 << 14)
def word(kind: str, text: str) -> Value:
    """What a word means as a value of a type."""
    if kind in TEXT:
        return _text(kind, text)
    if (found := _number(kind, text)) is not None:
        return found
    base, slash, length = text.partition("/")
    if slash and length.isdecimal() and (found := _number(kind, base)) is not None:
        return _prefix(kind, found, int(length[:4]), base)
    at = -1
    for _ in range(_DASHES_MAX):
        at = text.find("-", at + 1)
        if at < 0:
            break
        first, last = _number(kind, text[:at]), _number(kind, text[at + 1 :])
        if first is not None and last is not None:
            return _span(first, last)
    raise Unknown(f"not a value: {text[:40]!r}")


def _text(kind: str, text: str) -> Value:
    if kind != "ifname" and (digits := _digits(text)) is not None:
        return digits
    if text.endswith("\\*") or not text or len(text) > _NAME_MAX:
        raise Unknown("a name that ends in a star, or none at all")
    return PACKET_TYPES.get(text, text) if kind == "pkt_type" else text


def _number(kind: str, text: str) -> int | None:
    symbols = SYMBOLS.get(kind)
    if symbols and text in symbols:
        return symbols[text]
    if (found := _digits(text)) is not None:
        return found
    if kind == "ether_addr":
        return mac_or_none(text)
    if kind == "ip_addr":
        return _address(text)
    if kind == "tc_handle":
        return _handle(text)
    return None


def _handle(text: str) -> int | None:
    """``1:2``, two hexadecimal numbers of 16 bits."""
    match = _HANDLE.fullmatch(text)
    return None if match is None else int(match[1] or "0", 16) << 16 | int(match[2] or "0", 16)


def _digits(text: str) -> int | None:
    if len(text) > _DIGITS_MAX or not text.isascii():
        return None
    if text.isdecimal():
        return int(text)
    try:
        return int(text, 16) if text.startswith("0x") and "_" not in text else None
    except ValueError:
        return None


def _address(text: str) -> int | None:
    try:
        return int(IPv6Address(text)) if ":" in text else int(IPv4Address(text))
    except ValueError:
        return None

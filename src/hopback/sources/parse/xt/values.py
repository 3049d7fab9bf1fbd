"""What stands behind the options of rules. Every function raises ValueError for what it is not."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Element, Field, Match, Operator, Span, Value
from hopback.sources.parse.xt.names import PORTS, PROTOCOLS

FULL_MARK = 0xFFFF_FFFF
_PORT_MAX = 0xFFFF


def number(text: str, largest: int = FULL_MARK) -> int:
    """A decimal or ``0x`` number up to ``largest``."""
    value = int(text, 16) if text[:2] in ("0x", "0X") else _decimal(text)
    if value > largest:
        raise ValueError(f"too large: {text}")
    return value


def _decimal(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) <= 20):
        raise ValueError(f"not a number: {text!r}")
    return int(text)


def span(text: str, between: str, largest: int) -> Value:
    """``5``, ``5:10``, ``:10`` (from 0) or ``5:`` (up to ``largest``)."""
    first, dash, last = text.partition(between)
    if not dash:
        return number(first, largest)
    low, high = number(first or "0", largest), number(last, largest) if last else largest
    return low if low == high else Span(low, high)


def port(text: str) -> int:
    """A port by number, or by one of the names that listings without ``-n`` print."""
    return PORTS[text] if text in PORTS else number(text, _PORT_MAX)


def ports(text: str, between: str = ":") -> Value:
    """A port or a range of ports."""
    first, dash, last = text.partition(between)
    if not dash:
        return port(first)
    low, high = port(first) if first else 0, port(last) if last else _PORT_MAX
    return low if low == high else Span(low, high)


def masked(text: str, largest: int = FULL_MARK) -> tuple[int, int]:
    """``0x1/0xff``: a value and its mask, all bits where none is shown."""
    value, _, mask = text.partition("/")
    return number(value, largest), number(mask, largest) if mask else largest


def protocol(text: str) -> int:
    """A transport protocol by name or number."""
    known = PROTOCOLS.get(text.lower())
    return number(text, 255) if known is None else known


def address(text: str) -> int:
    """An IP address."""
    return int(ip_address(text))


def network(text: str, six: bool) -> tuple[Value, int | None]:
    """``10.0.0.0/8`` as a value and the mask it is compared under, if its bits are not in a row."""
    base, slash, mask = text.partition("/")
    bits = 128 if six else 32
    whole = (1 << bits) - 1
    value = _bits(base, six)
    if not slash:
        return value, None
    under = whole ^ whole >> number(mask, bits) if mask.isdecimal() else _bits(mask, six)
    if _holes(under, bits):
        return value & under, under
    first, last = value & under, value | ~under & whole
    return (first if first == last else Span(first, last)), None


def _bits(text: str, six: bool) -> int:
    return int(IPv6Address(text) if six else IPv4Address(text))


def _holes(mask: int, bits: int) -> bool:
    rest = ~mask & (1 << bits) - 1
    return bool(rest & (rest + 1))


def address_range(text: str, between: str = "-") -> Value:
    """``10.0.0.1-10.0.0.9``, or one address."""
    first, dash, last = text.partition(between)
    low, high = address(first), address(last) if dash else address(first)
    return low if low == high else Span(low, high)


def mac_pair(text: str) -> tuple[int, int | None]:
    """``02:00:00:00:00:00/ff:00:00:00:00:00``: an address and the mask it is compared under."""
    value, _, mask = text.partition("/")
    under = parse_mac(mask) if mask else None
    base = parse_mac(value)
    if under is None or under == 0xFFFF_FFFF_FFFF:
        return base, None
    return base & under, under


def device(text: str) -> str:
    """A device's name, ``+`` at its end as ``*``."""
    return text[:-1] + "*" if text.endswith("+") else text


def match(
    key: str, *values: Value, negated: bool = False, mask: int | None = None, op: Operator = "=="
) -> Match:
    """A step that compares one field with ``values``."""
    elements: tuple[Element, ...] = tuple((value,) for value in values)
    if negated:
        op = {"==": "!=", "has": "lacks", "<": ">=", ">": "<="}[op]  # type: ignore[assignment]
    return Match((Field(key, mask),), elements, op)

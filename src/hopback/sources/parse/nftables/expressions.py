"""Expressions of nft as text: fields, values, sets, maps; as libnftables-json(5) has them."""

from collections.abc import Callable
from typing import Any

from hopback.sources.parse.nftables.tokens import END, Misread, Tokens, unquoted

_DEPTH_MAX = 16

_LONE_META = frozenset(
    {"iif", "oif", "iifname", "oifname", "iiftype", "oiftype", "iifgroup", "oifgroup", "mark"}
    | {"skuid", "skgid", "nftrace", "rtclassid", "pkttype", "cpu", "cgroup", "iifkind", "oifkind"}
    | {"ibrname", "obrname", "ibriport", "obriport", "time", "day", "hour"}
)
"""Keys that are also printed without ``meta``."""

_PAYLOADS = frozenset(
    {"ether", "vlan", "arp", "ip", "ip6", "icmp", "icmpv6", "igmp", "tcp", "udp", "udplite"}
    | {"sctp", "dccp", "ah", "esp", "comp", "th"}
)
_TUNNELS = frozenset({"vxlan", "geneve", "gre", "gretap"})
_HEADERS = frozenset({"hbh", "frag", "dst", "mh", "rt0", "rt2", "srh"})
_ROUTING = frozenset({"classid", "nexthop", "mtu", "ipsec", "ip", "ip6"})
_FIB = frozenset({"type", "oif", "oifname"})
_OPERATORS = {"or": "|", "and": "&", "xor": "^", "lshift": "<<", "rshift": ">>"}
_BINDING = {"|": 1, "^": 2, "&": 3, "<<": 4, ">>": 4}


def expression(t: Tokens, depth: int = 0) -> Any:
    """Fields and what is done to them: ``ip saddr & 0.0.0.255``, ``a . b``, ``a map { … }``."""
    if depth > _DEPTH_MAX:
        raise Misread("nested too deep")
    found = _binary(t, 1, depth)
    if t.peek() == ".":
        parts = [found]
        while t.take("."):
            parts.append(_binary(t, 1, depth))
        found = {"concat": parts}
    return {"map": {"key": found, "data": data(t, depth)}} if t.take("map") else found


def _binary(t: Tokens, binding: int, depth: int) -> Any:
    """Operators bind as in C: shifts, then &, ^, |."""
    found = _operand(t, depth)
    while True:
        operator = _OPERATORS.get(t.peek(), t.peek())
        if _BINDING.get(operator, 0) < binding:
            return found
        t.next()
        found = {operator: [found, _binary(t, _BINDING[operator] + 1, depth)]}


def _operand(t: Tokens, depth: int) -> Any:
    if t.take("("):
        found = expression(t, depth + 1)
        t.expect(")")
        return found
    return field(t) if is_field(t) else _value(t)


def value(t: Tokens, depth: int = 0, listed: bool = False) -> Any:
    """The right side of a match. ``listed``: commas join flags, and ``/`` sets off their mask."""
    if depth > _DEPTH_MAX:
        raise Misread("nested too deep")
    if t.peek() == "{" or _is_reference(t.peek()):
        return data(t, depth)
    found = _constant(t, depth)
    separator = t.peek()
    if separator != "." and not (listed and separator == ","):
        return found
    parts = [found]
    while t.take(separator):
        parts.append(_constant(t, depth))
    return parts if separator == "," else {"concat": parts}


def _constant(t: Tokens, depth: int) -> Any:
    found = _single(t, depth)
    while (operator := _OPERATORS.get(t.peek(), t.peek())) in ("|", "&", "^"):
        t.next()
        found = {operator: [found, _single(t, depth)]}
    return found


def _single(t: Tokens, depth: int) -> Any:
    if not t.take("("):
        return _value(t)
    found = value(t, depth + 1)
    t.expect(")")
    return found


_NO_VALUES = frozenset({END, "{", "}", "(", ")", ",", ";", "=", "==", "!=", "<", ">", "!", ":"})
_PRESENCE = {"exists": True, "missing": False}


def _value(t: Tokens) -> Any:
    word = t.next()
    if word in _NO_VALUES or word.startswith("#"):
        raise Misread(f"a value expected, not {word[:40]!r}")
    if word in _PRESENCE:
        return _PRESENCE[word]
    if word.startswith('"') and t.take("-"):  # times of day
        return {"range": [unquoted(word), t.one()]}
    return unquoted(word)


def _is_reference(word: str) -> bool:
    return word.startswith("@") and "," not in word


def data(t: Tokens, depth: int = 0) -> Any:
    """A set or map: ``@name``, or its elements in braces."""
    if _is_reference(t.peek()):
        return t.next()
    t.expect("{")
    found: list[Any] = []
    while not t.take("}"):
        found.append(element(t, depth + 1))
        if not t.take(",") and t.peek() != "}":
            raise Misread("a set without end")
    return {"set": found}


_SKIPPED = {"timeout": 1, "expires": 1, "comment": 1, "packets": 1, "bytes": 1, "used": 1}
_SKIPPED |= {"counter": 0, "last": 0, "never": 0}
_ENDS = frozenset({",", "}", ":", END})


def element(t: Tokens, depth: int = 0) -> Any:
    """An element of a set, or a pair of a map."""
    found = _with_options(t, value(t, depth))
    if not t.take(":"):
        return found
    right = verdict(t) or value(t, depth)
    return [found, _with_options(t, right)]


def _with_options(t: Tokens, found: Any) -> Any:
    conditions = False
    while (word := t.peek()) not in _ENDS:
        t.next()
        if word in _SKIPPED:
            t.skip(_SKIPPED[word])
        else:
            conditions = True
    return {"elem": {"val": found, "condition": True}} if conditions else found


_VERDICTS = frozenset({"accept", "drop", "return", "continue"})


def verdict(t: Tokens) -> dict[str, Any] | None:
    """A verdict, None if the next word is none."""
    if t.peek() in _VERDICTS:
        return {t.next(): None}
    if t.peek() in ("jump", "goto"):
        word, target = t.next(), t.one()
        if target == "{":
            raise Misread("a chain without a name")
        return {word: {"target": target}}
    if t.peek() == "queue":
        t.next()
        return {"queue": None}
    return None


def is_field(t: Tokens) -> bool:
    """Whether the next words begin a field."""
    return t.peek() in _FIELDS or t.peek() in _LONE_META or t.peek().startswith("@")


def field(t: Tokens) -> Any:
    """What is looked at in the packet; raises Misread."""
    word = t.next()
    if word in _FIELDS:
        return _FIELDS[word](t, word)
    if word in _LONE_META:
        return {"meta": {"key": word}}
    if word.startswith("@") and word.count(",") == 2:
        base, offset, length = word[1:].split(",")
        return {"payload": {"base": base, "offset": int(offset[:9]), "len": int(length[:9])}}
    raise Misread(f"a field expected, not {word[:40]!r}")


def _meta(t: Tokens, _word: str) -> Any:
    return {"meta": {"key": t.one()}}


def _ct(t: Tokens, _word: str) -> Any:
    inner: dict[str, Any] = {}
    if t.peek() in ("original", "reply"):
        inner["dir"] = t.next()
    key = t.one()
    inner["key"] = f"{key} {t.one()}" if key in ("ip", "ip6") else key
    return {"ct": inner}


def _payload(t: Tokens, word: str) -> Any:
    name = t.one()
    if name == "option" and word in ("ip", "tcp", "dccp"):
        return _option(t, word)
    if name == "chunk" and word == "sctp":
        return {"sctp chunk": _named(t)}
    if word == "arp" and name in ("saddr", "daddr"):
        name = f"{name} {t.one()}"
    return {"payload": {"protocol": word, "field": name}}


def _tunnel(t: Tokens, word: str) -> Any:
    if t.peek() in _PAYLOADS:
        inner = _payload(t, t.next())["payload"]
        return {"payload": {"tunnel": word, **inner}}
    return {"payload": {"protocol": word, "field": t.one()}}


def _option(t: Tokens, word: str) -> Any:
    if t.peek().startswith("@"):
        base, offset, length = f"{t.one()},,".split(",")[:3]
        inner = {"base": base[1:], "offset": offset, "len": length}
        return {f"{word} option": inner}
    return {f"{word} option": _named(t)}


def _named(t: Tokens) -> dict[str, Any]:
    """``sack-perm`` or ``maxseg size``: without a field it is asked whether the option is there."""
    inner = {"name": t.one()}
    if t.peek()[:1].isalpha() and t.peek() not in (*_PRESENCE, "vmap", "map"):
        inner["field"] = t.next()
    return inner


def _exthdr(t: Tokens, word: str) -> Any:
    if word == "exthdr":
        return {"exthdr": {"name": t.one()}}
    return {"exthdr": {"name": word, "field": t.one()}}


def _rt(t: Tokens, word: str) -> Any:
    if t.peek() not in _ROUTING:
        return _exthdr(t, word)
    return {"rt": _with_family(t)}


def _with_family(t: Tokens) -> dict[str, Any]:
    inner: dict[str, Any] = {"family": t.next()} if t.peek() in ("ip", "ip6") else {}
    inner["key"] = t.one()
    return inner


def _fib(t: Tokens, _word: str) -> Any:
    flags = [t.one()]
    while t.take("."):
        flags.append(t.one())
    result = t.one()
    if result not in _FIB:
        raise Misread("what the fib is asked for")
    return {"fib": {"result": result, "flags": flags}}


def _socket(t: Tokens, _word: str) -> Any:
    key = t.one()
    if key == "cgroupv2":
        t.expect("level")
        key = f"cgroupv2 level {t.one()}"
    return {"socket": {"key": key}}


def _osf(t: Tokens, _word: str) -> Any:
    inner = {"ttl": t.one()} if t.take("ttl") else {}
    return {"osf": {**inner, "key": t.one()}}


def _ipsec(t: Tokens, _word: str) -> Any:
    inner: dict[str, Any] = {"dir": t.one()}
    if t.take("spnum"):
        inner["spnum"] = t.one()
    return {"ipsec": {**inner, **_with_family(t)}}


def _numgen(t: Tokens, _word: str) -> Any:
    return {"numgen": {"mode": t.one(), **_modulus(t)}}


def _hash(t: Tokens, word: str) -> Any:
    inner = {} if word == "symhash" else {"expr": expression(t, 1)}
    return {word: {**inner, **_modulus(t)}}


def _modulus(t: Tokens) -> dict[str, Any]:
    t.expect("mod")
    inner: dict[str, Any] = {"mod": t.one()}
    if t.take("seed"):
        inner["seed"] = int(t.one()[:40], 16)
    if t.take("offset"):
        offset = t.one()
        inner["offset"] = "" if offset == "0" else offset
    return inner


_FIELDS: dict[str, Callable[[Tokens, str], Any]] = {
    "meta": _meta,
    "ct": _ct,
    "fib": _fib,
    "rt": _rt,
    "socket": _socket,
    "osf": _osf,
    "ipsec": _ipsec,
    "numgen": _numgen,
    "jhash": _hash,
    "symhash": _hash,
    "exthdr": _exthdr,
    **dict.fromkeys(_PAYLOADS, _payload),
    **dict.fromkeys(_TUNNELS, _tunnel),
    **dict.fromkeys(_HEADERS, _exthdr),
}

"""Rules that libvirt gives to iptables and ip6tables (``iptablesCreateRuleInstance``).

Each becomes up to three: in the chains FI (from the guest), FO (to it) and HI (from it to the
host). Bridged packets meet them only under bridge-nf-call-iptables.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from hopback.network.nwfilter.items import PROTOCOLS, TRANSPORTS, Items, number
from hopback.snapshot.rows import (
    Element,
    Field,
    FilterFamily,
    Match,
    NwItem,
    NwRule,
    Opaque,
    Step,
    Unsure,
    Verdict,
)

ROUTED = frozenset({*PROTOCOLS, "all"} | {f"{name}-ipv6" for name in (*PROTOCOLS, "all")})
"""The elements whose rules iptables gets."""

_PORTS = ("tcp", "udp", "sctp")
_VERDICTS = {"drop": Verdict("drop"), "reject": Verdict("reject"), "return": Verdict("return")}
_FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ALL": 63, "NONE": 0}
_ESTABLISHED, _NEW = ("established",), ("new", "established")

Prefix = Literal["FI", "FO", "HI"]


class _Turn(NamedTuple):
    """One of the three rules. ``incoming``: as towards the guest, so that the ends change places.

    ``states`` it asks for, ``way``: whether also for the connection's direction. ``skips_icmp``:
    not made for a rule that names a type of ICMP.
    """

    prefix: Prefix
    incoming: bool
    states: tuple[str, ...]
    way: bool
    skips_icmp: bool


def family_of(kind: str) -> FilterFamily:
    """Whose rules an element makes."""
    return "ip6" if kind.endswith("-ipv6") or kind == "icmpv6" else "ip"


def routed_steps(
    rule: NwRule, items: Sequence[NwItem]
) -> Iterator[tuple[Prefix, tuple[Step, ...]]]:
    """The rules of one, by the chain that each goes to."""
    for turn in _turns(rule, items):
        steps = _steps(rule, items, turn)
        if steps is not None:
            yield turn.prefix, steps


def _turns(rule: NwRule, items: Sequence[NwItem]) -> Iterator[_Turn]:
    incoming, both = rule.direction in ("in", "inout"), rule.direction == "inout"
    asked = next((item.value for item in items if item.name == "state"), "")
    if asked and rule.stateful:
        states = tuple(word.lower() for word in asked.split(",") if word != "NONE")
        if not incoming or both:
            yield _Turn("FI", incoming, states, False, incoming)
        if incoming:
            yield _Turn("FO", not incoming, states, False, not incoming or both)
        if not incoming or both:
            yield _Turn("HI", incoming, states, False, incoming)
        return
    followed = rule.stateful and not both
    from_guest = (_ESTABLISHED if incoming else _NEW) if followed else ()
    to_guest = (_NEW if incoming else _ESTABLISHED) if followed else ()
    yield _Turn("FI", incoming, from_guest, followed, incoming)
    yield _Turn("FO", not incoming, to_guest, followed, not incoming or both)
    yield _Turn("HI", incoming, from_guest, followed, incoming)


def _steps(rule: NwRule, items: Sequence[NwItem], turn: _Turn) -> tuple[Step, ...] | None:
    """The steps of one rule; None if libvirt makes none."""
    name = rule.protocol.removesuffix("-ipv6")
    ip = family_of(rule.protocol)
    read = Items(items, turn.incoming)
    for known in ("comment", "state", "connlimit-above", "ipset", "ipsetflags", "dstmacaddr"):
        read.get(known)
    if name != "all":
        read.add("meta l4proto", PROTOCOLS[name])
    plain = len(read.steps)
    mac, typed, limit = read.get("srcmacaddr"), _typed(items), _find(items, "connlimit-above")
    if mac is not None and not turn.incoming:
        read.mac("ether saddr", "srcmacaddr")
    _addresses(read, ip)
    _protocol_steps(read, name, ip)
    read.rest()
    only_mac = mac is not None and turn.incoming and len(read.steps) == plain
    if only_mac or (limit and turn.incoming) or (typed and turn.skips_icmp):
        return None
    accepts = rule.action == "accept"
    # drop and the like are for packets of any state, unless the rule names states
    ask = bool(turn.states) and not limit and (accepts or not turn.way)
    if ask:
        read.steps.append(_has("ct state", *turn.states))
    if ask and turn.way and not typed:
        read.steps.append(_is("ct direction", "reply" if turn.incoming else "original"))
    read.steps += _behind(items, turn.incoming)
    return (*read.steps, _verdict(rule.action, turn.prefix))


def _verdict(action: str, prefix: Prefix) -> Step:
    if action == "accept":
        return Verdict("accept" if prefix == "FO" else "return")
    return _VERDICTS.get(action, Opaque(f"action {action}"))


def _find(items: Sequence[NwItem], name: str) -> NwItem | None:
    return next((item for item in items if item.name == name), None)


def _typed(items: Sequence[NwItem]) -> bool:
    return _find(items, "type") is not None


def _addresses(read: Items, ip: str) -> None:
    for end, field in (("src", "saddr"), ("dst", "daddr")):
        if read.get(f"{end}ipaddr") is not None:
            read.network(f"{ip} {field}", f"{end}ipaddr", read.get(f"{end}ipmask"))
        else:
            read.addresses(f"{ip} {field}", f"{end}ipfrom", f"{end}ipto")
    read.take(f"{ip} dscp", "dscp")


def _protocol_steps(read: Items, name: str, ip: str) -> None:
    transport = TRANSPORTS.get(PROTOCOLS.get(name, 0), "")
    if name == "tcp":
        _tcp_flags(read)
    if name in _PORTS:
        read.span(f"{transport} sport", "srcportstart", "srcportend")
        read.span(f"{transport} dport", "dstportstart", "dstportend")
    if name in ("icmp", "icmpv6"):
        _icmp(read, name)


def _tcp_flags(read: Items) -> None:
    """``MASK/FLAGS``."""
    item = read.get("flags")
    if item is None:
        return
    mask, _, wanted = item.value.partition("/")
    words = (*mask.split(","), *wanted.split(","))
    if not set(words) <= _FLAGS.keys():
        read.steps.append(Opaque(f"flags={item.value}"))
        return
    read.add("tcp flags", _bits(wanted), item.negated, _bits(mask))


def _bits(words: str) -> int:
    found = 0
    for word in words.split(","):
        found |= _FLAGS[word]
    return found


def _icmp(read: Items, name: str) -> None:
    kind, code = read.get("type"), read.get("code")
    if kind is None:
        return
    if code is None:
        read.take(f"{name} type", "type")
        return
    try:
        element: Element = (number(kind.value), number(code.value))
    except ValueError:
        read.steps.append(Opaque(f"type={kind.value} code={code.value}"))
        return
    fields = (Field(f"{name} type"), Field(f"{name} code"))
    read.steps.append(Match(fields, (element,), "!=" if kind.negated else "=="))


def _behind(items: Sequence[NwItem], incoming: bool) -> Iterator[Step]:
    """What libvirt puts behind the states."""
    name, flags = _find(items, "ipset"), _find(items, "ipsetflags")
    if name is not None and flags is not None:
        ends = flags.value.lower().split(",")
        other = {"src": "dst", "dst": "src"}
        words = [other.get(end, end) if incoming else end for end in ends]
        yield Match(tuple(map(Field, words)), set=name.value)
    if limit := _find(items, "connlimit-above"):
        yield Unsure(f"connlimit-above {limit.value}")


def _has(key: str, *words: str) -> Match:
    return Match((Field(key),), tuple((word,) for word in words), "has")


def _is(key: str, word: str) -> Match:
    return Match((Field(key),), ((word,),))

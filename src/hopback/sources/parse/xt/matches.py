"""The matches of iptables and ip6tables (iptables-extensions(8)) as steps."""

from collections.abc import Mapping
from types import MappingProxyType

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Field, Match, Span, Step, Value
from hopback.sources.parse.xt.base import About, Reader, device_step, network_step
from hopback.sources.parse.xt.ct_matches import CONNTRACK
from hopback.sources.parse.xt.names import ICMP, ICMP6, TCP_FLAGS
from hopback.sources.parse.xt.values import (
    address_range,
    masked,
    match,
    number,
    ports,
    protocol,
    span,
)
from hopback.sources.parse.xt.words import Option


def _source(option: Option, about: About) -> tuple[Step, ...]:
    return _unless_any(network_step(f"{about.ip} saddr", option, about.six), about)


def _target(option: Option, about: About) -> tuple[Step, ...]:
    return _unless_any(network_step(f"{about.ip} daddr", option, about.six), about)


def _unless_any(step: Match, about: About) -> tuple[Step, ...]:
    whole = ((Span(0, (1 << (128 if about.six else 32)) - 1),),)
    return () if step.values == whole and step.op == "==" else (step,)


def _protocol(option: Option, about: About) -> tuple[Step, ...]:
    if option.value in ("all", "0"):
        return ()
    return (match("meta l4proto", protocol(option.value), negated=option.negated),)


def _fragment(option: Option, about: About) -> tuple[Step, ...]:
    """All fragments but the first (``ip_packet_match``, net/ipv4/netfilter/ip_tables.c)."""
    return (match("ip frag-off", 0, negated=not option.negated, mask=0x1FFF),)


BASIC: MappingProxyType[str, Reader] = MappingProxyType(
    {
        "-s": _source,
        "-d": _target,
        "-i": lambda option, about: device_step("meta iifname", option),
        "-o": lambda option, about: device_step("meta oifname", option),
        "-p": _protocol,
        "-f": _fragment,
    }
)
"""Options that need no ``-m``."""


def _ports(end: str) -> Reader:
    def read(option: Option, about: About) -> tuple[Step, ...]:
        values = map(ports, option.value.split(","))
        return (match(f"{about.transport} {end}", *values, negated=option.negated),)

    return read


def _either_port(option: Option, about: About) -> tuple[Step, ...]:
    """``--ports``: source or destination; only its negation is two steps."""
    if not option.negated:
        raise ValueError("one of two fields")
    return (*_ports("sport")(option, about), *_ports("dport")(option, about))


def _tcp_flags(option: Option, about: About) -> tuple[Step, ...]:
    mask, wanted = map(_flags, option.values)
    return (match("tcp flags", wanted, negated=option.negated, mask=mask),)


def _flags(text: str) -> int:
    if text[:2] == "0x":
        return number(text, 0xFF)
    if not set(text.split(",")) <= TCP_FLAGS.keys():
        raise ValueError(f"not flags: {text!r}")
    found = 0
    for name in text.split(","):
        found |= TCP_FLAGS[name]
    return found


def _syn(option: Option, about: About) -> tuple[Step, ...]:
    return (match("tcp flags", 0x02, negated=option.negated, mask=0x17),)


def _icmp(option: Option, about: About) -> tuple[Step, ...]:
    kind, code = icmp_type(option.value, about.six)
    header = "icmpv6" if about.six else "icmp"
    if (kind, about.six) == (255, False):
        return () if not option.negated else (match("icmp type"),)
    if code is None:
        return (match(f"{header} type", kind, negated=option.negated),)
    fields = (Field(f"{header} type"), Field(f"{header} code"))
    return (Match(fields, ((kind, code),), "!=" if option.negated else "=="),)


def icmp_type(text: str, six: bool) -> tuple[int, int | None]:
    """``3/4`` or ``fragmentation-needed``: an ICMP type, and a code if one is asked for."""
    named = (ICMP6 if six else ICMP).get(text)
    if named is not None:
        return named
    kind, _, code = text.partition("/")
    return number(kind, 255), number(code, 255) if code else None


def _mac(option: Option, about: About) -> tuple[Step, ...]:
    return (match("ether saddr", parse_mac(option.value), negated=option.negated),)


def _mark(key: str) -> Reader:
    def read(option: Option, about: About) -> tuple[Step, ...]:
        value, mask = masked(option.value)
        under = None if mask == 0xFFFF_FFFF else mask
        return (match(key, value, negated=option.negated, mask=under),)

    return read


_TYPES = frozenset({
    "unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable",
    "prohibit",
})  # fmt: skip


def _address_type(end: str) -> Reader:
    def read(option: Option, about: About) -> tuple[Step, ...]:
        words = option.value.lower().split(",")
        if not set(words) <= _TYPES:
            raise ValueError(f"not address types: {option.value!r}")
        return (match(f"fib {end}{about.limit} type", *words, negated=option.negated),)

    return read


def _physdev(way: str) -> Reader:
    return lambda option, about: device_step(f"physdev {way}", option)


def _physdev_any(way: str) -> Reader:
    return lambda option, about: (match(f"physdev {way}", "", negated=not option.negated),)


PACKET_TYPES = MappingProxyType(
    {
        "unicast": "host",
        "host": "host",
        "broadcast": "broadcast",
        "multicast": "multicast",
        "otherhost": "otherhost",
    }
)
"""The words of ``meta pkttype``."""


def _packet_type(option: Option, about: About) -> tuple[Step, ...]:
    word = PACKET_TYPES.get(option.value)
    if word is None:
        raise ValueError(f"not a packet type: {option.value!r}")
    return (match("meta pkttype", word, negated=option.negated),)


def _set(option: Option, about: About) -> tuple[Step, ...]:
    name, ends = option.values
    words = ends.split(",")
    if not set(words) <= {"src", "dst"}:
        raise ValueError(f"not directions: {ends!r}")
    fields = tuple(map(Field, words))
    return (Match(fields, op="!=" if option.negated else "==", set=name),)


_IPV6_HEADER = 40


def _length(option: Option, about: About) -> tuple[Step, ...]:
    """Of the packet with its IP header (net/netfilter/xt_length.c)."""
    first, colon, last = option.value.partition(":")
    low, high = number(first or "0", 0xFFFF), number(last or ("65535" if colon else first), 0xFFFF)
    if about.six:
        low, high = max(low - _IPV6_HEADER, 0), high - _IPV6_HEADER
    value = low if low == high else Span(low, high)
    return (match(f"{about.ip} length", value, negated=option.negated),)


def _range(end: str) -> Reader:
    def read(option: Option, about: About) -> tuple[Step, ...]:
        value = address_range(option.value)
        return (match(f"{about.ip} {end}", value, negated=option.negated),)

    return read


def _hops(key: str, op: str) -> Reader:
    def read(option: Option, about: About) -> tuple[Step, ...]:
        value = number(option.value, 255)
        if op == "<":
            return (match(key, value, op="<"),)
        if op == ">":
            return (match(key, value, op=">"),)
        return (match(key, value, negated=option.negated),)

    return read


def _dscp(option: Option, about: About) -> tuple[Step, ...]:
    return (match(f"{about.ip} dscp", number(option.value, 63), negated=option.negated),)


def _tos(option: Option, about: About) -> tuple[Step, ...]:
    if about.six:
        raise ValueError("the traffic class is no field")
    value, mask = masked(option.value, 0xFF)
    return (match("ip tos", value, negated=option.negated, mask=None if mask == 0xFF else mask),)


def _spi(key: str) -> Reader:
    def read(option: Option, about: About) -> tuple[Step, ...]:
        return (match(key, span(option.value, ":", 0xFFFF_FFFF), negated=option.negated),)

    return read


_PORT_OPTIONS: dict[str, Reader] = {
    **dict.fromkeys(("--sport", "--source-port"), _ports("sport")),
    **dict.fromkeys(("--dport", "--destination-port"), _ports("dport")),
}

MATCHES: MappingProxyType[str, Mapping[str, Reader]] = MappingProxyType(
    {
        "tcp": {**_PORT_OPTIONS, "--tcp-flags": _tcp_flags, "--syn": _syn},
        "udp": _PORT_OPTIONS,
        "sctp": _PORT_OPTIONS,
        "dccp": _PORT_OPTIONS,
        "udplite": _PORT_OPTIONS,
        "multiport": {
            **dict.fromkeys(("--sports", "--source-ports"), _ports("sport")),
            **dict.fromkeys(("--dports", "--destination-ports"), _ports("dport")),
            "--ports": _either_port,
        },
        "icmp": {"--icmp-type": _icmp},
        "icmp6": {"--icmpv6-type": _icmp},
        "state": {"--state": CONNTRACK["--ctstate"]},
        "conntrack": CONNTRACK,
        "mac": {"--mac-source": _mac},
        "mark": {"--mark": _mark("meta mark")},
        "connmark": {"--mark": _mark("ct mark")},
        "addrtype": {
            "--src-type": _address_type("saddr"),
            "--dst-type": _address_type("daddr"),
            "--limit-iface-in": lambda option, about: (),
            "--limit-iface-out": lambda option, about: (),
        },
        "physdev": {
            "--physdev-in": _physdev("in"),
            "--physdev-out": _physdev("out"),
            "--physdev-is-in": _physdev_any("in"),
            "--physdev-is-out": _physdev_any("out"),
            "--physdev-is-bridged": _physdev_any("out"),
        },
        "pkttype": {"--pkt-type": _packet_type},
        "set": {"--match-set": _set, "--set": _set},
        "length": {"--length": _length},
        "iprange": {"--src-range": _range("saddr"), "--dst-range": _range("daddr")},
        "ttl": {
            "--ttl-eq": _hops("ip ttl", "=="),
            "--ttl": _hops("ip ttl", "=="),
            "--ttl-lt": _hops("ip ttl", "<"),
            "--ttl-gt": _hops("ip ttl", ">"),
        },
        "hl": {
            "--hl-eq": _hops("ip6 hoplimit", "=="),
            "--hl-lt": _hops("ip6 hoplimit", "<"),
            "--hl-gt": _hops("ip6 hoplimit", ">"),
        },
        "dscp": {"--dscp": _dscp},
        "tos": {"--tos": _tos},
        "esp": {"--espspi": _spi("esp spi")},
        "ah": {"--ahspi": _spi("ah spi")},
        "comment": {"--comment": lambda option, about: ()},
    }
)
"""The options of each match that the packet decides."""

UNSURE = frozenset({
    "limit", "hashlimit", "statistic", "random", "recent", "string", "owner", "connlimit",
    "connbytes", "time", "quota", "quota2", "rpfilter", "socket", "policy", "helper", "cpu",
    "devgroup", "realm", "cgroup", "cluster", "rateest", "nth", "osf", "ipvs",
})  # fmt: skip
"""Matches that something else decides: rates, chance, time, routes, sockets, other devices."""


def value_of(step: Step) -> Value | None:
    """The only value that a step compares its only field with, all bits of it; None if not one."""
    if not isinstance(step, Match) or len(step.values) != 1 or step.op != "==":
        return None
    return step.values[0][0] if len(step.fields) == 1 and step.fields[0].mask is None else None

"""A rule of ebtables (ebtables(8)), from its options to its steps."""

from collections.abc import Callable, Sequence
from types import MappingProxyType

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Field, Mangle, Match, Opaque, Step, Unsure, Verdict
from hopback.sources.parse.xt.base import device_step, network_step
from hopback.sources.parse.xt.matches import PACKET_TYPES, icmp_type
from hopback.sources.parse.xt.names import ARP_OPERATIONS, ETHER_TYPES, TRANSPORTS
from hopback.sources.parse.xt.values import (
    FULL_MARK,
    mac_pair,
    masked,
    match,
    number,
    ports,
    protocol,
    span,
)
from hopback.sources.parse.xt.words import Option, said

_GROUP = 0x0100_0000_0000
_ALL = 0xFFFF_FFFF_FFFF
_NAMED = {
    "unicast": (0, _GROUP),
    "multicast": (_GROUP, _GROUP),
    "broadcast": (_ALL, None),
    "bga": (0x0180_C200_0000, None),
}
_ETHERTYPE_MIN = 0x0600


class _About:
    """What was read of a rule: the transport protocol that its ports are of."""

    def __init__(self) -> None:
        self.transport = "th"


_Reader = Callable[[Option, _About], tuple[Step, ...]]


def _mac(key: str) -> _Reader:
    def read(option: Option, about: _About) -> tuple[Step, ...]:
        value, mask = _NAMED.get(option.value.lower()) or mac_pair(option.value)
        return (match(key, value, negated=option.negated, mask=mask),)

    return read


def _device(key: str) -> _Reader:
    return lambda option, about: device_step(key, option)


def _type(key: str) -> _Reader:
    def read(option: Option, about: _About) -> tuple[Step, ...]:
        if option.value.lower() == "length":
            return (match(key, _ETHERTYPE_MIN, op="<", negated=option.negated),)
        return (match(key, ether_type(option.value), negated=option.negated),)

    return read


def ether_type(text: str) -> int:
    """``IPv4``, ``0x88b5``, or hexadecimal without ``0x`` as ``--vlan-encap`` prints it."""
    known = ETHER_TYPES.get(text.lower())
    return number("0x" + text.removeprefix("0x"), 0xFFFF) if known is None else known


def _network(key: str, six: bool) -> _Reader:
    return lambda option, about: (network_step(key, option, six),)


def _ranged(key: str, largest: int) -> _Reader:
    def read(option: Option, about: _About) -> tuple[Step, ...]:
        return (match(key, span(option.value, ":", largest), negated=option.negated),)

    return read


def _protocol(key: str) -> _Reader:
    def read(option: Option, about: _About) -> tuple[Step, ...]:
        value = protocol(option.value)
        if not option.negated:
            about.transport = TRANSPORTS.get(value, "th")
        return (match(key, value, negated=option.negated),)

    return read


def _ports(end: str) -> _Reader:
    def read(option: Option, about: _About) -> tuple[Step, ...]:
        value = ports(option.value)
        return (match(f"{about.transport} {end}", value, negated=option.negated),)

    return read


def _icmp(six: bool) -> _Reader:
    """A type, or ranges of types and codes: ``135:136/0``."""
    header = "icmpv6" if six else "icmp"

    def read(option: Option, about: _About) -> tuple[Step, ...]:
        kinds, _, codes = option.value.partition("/")
        if ":" not in option.value:
            kind, code = icmp_type(option.value, six)
            kinds, codes = str(kind), "" if code is None else str(code)
        fields = (Field(f"{header} type"), Field(f"{header} code"))
        kind_value = span(kinds, ":", 255)
        if not codes or codes == "0:255":
            return (match(f"{header} type", kind_value, negated=option.negated),)
        element = (kind_value, span(codes, ":", 255))
        return (Match(fields, (element,), "!=" if option.negated else "=="),)

    return read


def _operation(option: Option, about: _About) -> tuple[Step, ...]:
    known = ARP_OPERATIONS.get(option.value.lower())
    value = number(option.value, 0xFFFF) if known is None else known
    return (match("arp operation", value, negated=option.negated),)


def _mark(option: Option, about: _About) -> tuple[Step, ...]:
    """``/0xff`` asks for any bit of it (net/bridge/netfilter/ebt_mark_m.c)."""
    if option.value.startswith("/"):
        bits = number(option.value[1:])
        return (match("meta mark", bits, negated=option.negated, op="has"),)
    value, mask = masked(option.value)
    under = None if mask == FULL_MARK else mask
    return (match("meta mark", value, negated=option.negated, mask=under),)


def _packet_type(option: Option, about: _About) -> tuple[Step, ...]:
    return (match("meta pkttype", PACKET_TYPES[option.value], negated=option.negated),)


def _among(key: str) -> _Reader:
    """A list of MACs; an IP address behind one is looked for in IP and in ARP."""

    def read(option: Option, about: _About) -> tuple[Step, ...]:
        macs = (parse_mac(one) for one in option.value.split(",") if one)
        return (match(key, *macs, negated=option.negated),)

    return read


_READERS: MappingProxyType[str, _Reader] = MappingProxyType(
    {
        "-p": _type("ether type"),
        "-s": _mac("ether saddr"),
        "-d": _mac("ether daddr"),
        "-i": _device("meta iifname"),
        "-o": _device("meta oifname"),
        "--logical-in": _device("meta ibrname"),
        "--logical-out": _device("meta obrname"),
        "--vlan-id": _ranged("vlan id", 4095),
        "--vlan-prio": _ranged("vlan pcp", 7),
        "--vlan-encap": _type("vlan type"),
        "--ip-src": _network("ip saddr", six=False),
        "--ip-dst": _network("ip daddr", six=False),
        "--ip-proto": _protocol("ip protocol"),
        "--ip-tos": _ranged("ip tos", 255),
        "--ip-sport": _ports("sport"),
        "--ip-dport": _ports("dport"),
        "--ip-icmp-type": _icmp(six=False),
        "--ip6-src": _network("ip6 saddr", six=True),
        "--ip6-dst": _network("ip6 daddr", six=True),
        "--ip6-proto": _protocol("meta l4proto"),
        "--ip6-sport": _ports("sport"),
        "--ip6-dport": _ports("dport"),
        "--ip6-icmp-type": _icmp(six=True),
        "--arp-op": _operation,
        "--arp-htype": _ranged("arp htype", 0xFFFF),
        "--arp-ptype": _type("arp ptype"),
        "--arp-ip-src": _network("arp saddr ip", six=False),
        "--arp-ip-dst": _network("arp daddr ip", six=False),
        "--arp-mac-src": _mac("arp saddr ether"),
        "--arp-mac-dst": _mac("arp daddr ether"),
        "--mark": _mark,
        "--pkttype-type": _packet_type,
        "--among-src": _among("ether saddr"),
        "--among-dst": _among("ether daddr"),
    }
)
_LONG = {
    "--protocol": "-p",
    "--proto": "-p",
    "--src": "-s",
    "--source": "-s",
    "--dst": "-d",
    "--destination": "-d",
    "--in-interface": "-i",
    "--in-if": "-i",
    "--out-interface": "-o",
    "--out-if": "-o",
    "--logical-in-if": "--logical-in",
    "--logical-out-if": "--logical-out",
    "--jump": "-j",
    "--ip-source": "--ip-src",
    "--ip-destination": "--ip-dst",
    "--ip-protocol": "--ip-proto",
    "--ip-source-port": "--ip-sport",
    "--ip-destination-port": "--ip-dport",
    "--ip6-source": "--ip6-src",
    "--ip6-destination": "--ip6-dst",
    "--ip6-protocol": "--ip6-proto",
    "--ip6-source-port": "--ip6-sport",
    "--ip6-destination-port": "--ip6-dport",
    "--arp-opcode": "--arp-op",
}
_WATCHERS = ("--log-", "--nflog", "--ulog")
_LIMITS = ("--limit", "--limit-burst")
_PLAIN = {
    "ACCEPT": "accept",
    "DROP": "drop",
    "RETURN": "return",
    "CONTINUE": "continue",
}


def bridge_steps(options: Sequence[Option]) -> tuple[Step, ...]:
    """The steps of a rule without its ``-A CHAIN``. Never raises: what is not known is opaque."""
    plain: list[Step] = []
    limits: list[Option] = []
    unknown: list[Option] = []
    target: list[Option] = []
    about = _About()
    for option in options:
        name = _LONG.get(option.name, option.name)
        if target or name == "-j":
            target.append(option)
        elif name in _LIMITS:
            limits.append(option)
        elif name.startswith(_WATCHERS) or name in ("--log", "-c"):
            continue
        else:
            try:
                plain += _READERS[name](option, about)
            except (KeyError, ValueError):
                unknown.append(option)
    unsure = (Unsure(said(limits)),) if limits else ()
    opaque = (Opaque(said(unknown)),) if unknown else ()
    return (*plain, *unsure, *opaque, *_target(target))


def _target(target: Sequence[Option]) -> tuple[Step, ...]:
    if not target:
        return ()
    name = " ".join(target[0].values)
    if kind := _PLAIN.get(name):
        return () if kind == "continue" else (Verdict(kind),)  # type: ignore[arg-type]
    rest = {option.name: option for option in target[1:]}
    try:
        read = _TARGETS.get(name)
        if read is not None:
            return read(rest)
        if name and not rest and name not in _OPAQUE:
            return (Verdict("jump", name),)
    except (KeyError, ValueError):
        pass
    return (Opaque(said(target)),)


def _last(rest: dict[str, Option], name: str) -> tuple[Step, ...]:
    """The verdict behind a change: ACCEPT unless said otherwise."""
    kind = _PLAIN[rest[name].value] if name in rest else "accept"
    return () if kind == "continue" else (Verdict(kind),)  # type: ignore[arg-type]


def _new_mac(key: str, names: tuple[str, ...], verdict: str) -> Callable[..., tuple[Step, ...]]:
    def read(rest: dict[str, Option]) -> tuple[Step, ...]:
        (option,) = (rest[name] for name in names if name in rest)
        value = parse_mac(option.value)
        arp = (Mangle("arp saddr ether", value),) if "--snat-arp" in rest else ()
        return (Mangle(key, value), *arp, *_last(rest, verdict))

    return read


def _set_mark(rest: dict[str, Option]) -> tuple[Step, ...]:
    (name,) = (name for name in rest if name != "--mark-target")
    value = number(rest[name].value)
    step = {
        "--mark-set": Mangle("meta mark", value),
        "--set-mark": Mangle("meta mark", value),
        "--mark-or": Mangle("meta mark", value, ~value & FULL_MARK),
        "--mark-and": Mangle("meta mark", 0, value),
        "--mark-xor": Mangle("meta mark", value, FULL_MARK),
    }[name]
    return (step, *_last(rest, "--mark-target"))


_TARGETS: dict[str, Callable[[dict[str, Option]], tuple[Step, ...]]] = {
    "dnat": _new_mac("ether daddr", ("--to-dst", "--to-destination"), "--dnat-target"),
    "snat": _new_mac("ether saddr", ("--to-src", "--to-source"), "--snat-target"),
    "mark": _set_mark,
}
_OPAQUE = frozenset({"redirect", "arpreply"})
"""Targets that need the bridge's own address, or answer."""

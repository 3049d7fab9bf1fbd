"""The targets of iptables and ip6tables as the last steps of a rule."""

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

from hopback.snapshot.rows import Mangle, Nat, Notrack, Opaque, Step, Value, Verdict
from hopback.sources.parse.xt.values import (
    FULL_MARK,
    address_range,
    masked,
    network,
    number,
    ports,
)
from hopback.sources.parse.xt.words import Option, said

VERDICTS: MappingProxyType[str, Verdict] = MappingProxyType(
    {
        "ACCEPT": Verdict("accept"),
        "DROP": Verdict("drop"),
        "REJECT": Verdict("reject"),
        "RETURN": Verdict("return"),
        "QUEUE": Verdict("queue"),
        "NFQUEUE": Verdict("queue"),
    }
)
_WITH_OPTIONS = ("REJECT", "NFQUEUE")

HARMLESS = frozenset({
    "LOG", "NFLOG", "ULOG", "AUDIT", "TRACE", "CHECKSUM", "TCPMSS", "CLASSIFY", "IDLETIMER", "LED",
    "RATEEST", "SECMARK", "CONNSECMARK", "TCPOPTSTRIP",
})  # fmt: skip
"""Targets after which the same packet goes on to the next rule, as far as filters can tell."""

_OPAQUE = frozenset({"TEE", "TPROXY", "SET", "SYNPROXY", "ECN", "CLUSTERIP", "DNPT", "SNPT"})
"""Targets that are known not to be chains, and nothing more."""


class Where(NamedTuple):
    """``six`` for IPv6, and the chain that the rule stands in."""

    six: bool
    chain: str = ""


Options = dict[str, Option]
_Reader = Callable[[Options, Where], tuple[Step, ...]]


def target_steps(target: Option, rest: Sequence[Option], where: Where) -> tuple[Step, ...]:
    """What ``-j NAME`` with its options does; ``-g`` goes to a chain. Never raises."""
    name = " ".join(target.values)
    if target.name in ("-g", "--goto"):
        return (Opaque(said((target, *rest))),) if rest else (Verdict("goto", name),)
    if verdict := VERDICTS.get(name):
        return (verdict,) if not rest or name in _WITH_OPTIONS else (Opaque(said((target, *rest))),)
    if name in HARMLESS:
        return ()
    read = _TARGETS.get(name)
    if read is None and not rest and name and name not in _OPAQUE:
        return (Verdict("jump", name),)
    try:
        if read is None or len(rest) != len({option.name for option in rest}):
            raise ValueError("not known")
        return read({option.name: option for option in rest}, where)
    except ValueError:
        return (Opaque(said((target, *rest))),)


def _marks(key: str) -> _Reader:
    """MARK and CONNMARK (net/netfilter/xt_mark.c, xt_connmark.c: ``mark & ~mask ^ value``)."""

    def read(options: Options, where: Where) -> tuple[Step, ...]:
        (name, option), *others = options.items()
        if name in ("--save-mark", "--restore-mark"):
            return (_copied(name, options),)
        if others:
            raise ValueError("several at once")
        value, mask = masked(option.value)
        match name:
            case "--set-xmark":
                return (Mangle(key, value, ~mask & FULL_MARK),)
            case "--set-mark":
                return (Mangle(key, value, ~(mask | value) & FULL_MARK),)
            case "--and-mark":
                return (Mangle(key, 0, value),)
            case "--or-mark":
                return (Mangle(key, value, ~value & FULL_MARK),)
            case "--xor-mark":
                return (Mangle(key, value, FULL_MARK),)
        raise ValueError(f"not known: {name}")

    return read


def _copied(name: str, options: Options) -> Mangle:
    both = _mask(options, "--mask", FULL_MARK)
    packet, connection = _mask(options, "--nfmask", both), _mask(options, "--ctmask", both)
    if name == "--save-mark":
        return Mangle("ct mark", 0, ~connection & FULL_MARK, "meta mark", packet)
    return Mangle("meta mark", 0, ~packet & FULL_MARK, "ct mark", connection)


def _mask(options: Options, name: str, otherwise: int) -> int:
    return number(options[name].value) if name in options else otherwise


def _ct(options: Options, where: Where) -> tuple[Step, ...]:
    if options.keys() != {"--notrack"}:
        raise ValueError("zones and helpers")
    return (Notrack(),)


def _notrack(options: Options, where: Where) -> tuple[Step, ...]:
    return (Notrack(),)


def _address_nat(kind: Literal["snat", "dnat"], name: str) -> _Reader:
    def read(options: Options, where: Where) -> tuple[Step, ...]:
        new_address, new_port = endpoint(options[name].value if name in options else "")
        return (Nat(kind, new_address, new_port),)

    return read


def endpoint(text: str) -> tuple[Value | None, Value | None]:
    """``10.0.0.1-10.0.0.9:80-90``, ``[fd00::1]:80`` or a part of it: addresses and ports."""
    if not text:
        raise ValueError("nothing")
    if text.startswith("["):
        addresses, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") > 1:
        addresses, port = text, ""
    else:
        addresses, _, port = text.partition(":")
    return (
        address_range(addresses) if addresses else None,
        ports(port, "-") if port else None,
    )


def _port_nat(kind: Literal["masquerade", "redirect"]) -> _Reader:
    def read(options: Options, where: Where) -> tuple[Step, ...]:
        option = options.get("--to-ports") or options.get("--to-port")
        return (Nat(kind, port=ports(option.value, "-") if option else None),)

    return read


_NETMAP: dict[str, Literal["snat", "dnat"]] = {
    "PREROUTING": "dnat",
    "OUTPUT": "dnat",
    "INPUT": "snat",
    "POSTROUTING": "snat",
}


def _netmap(options: Options, where: Where) -> tuple[Step, ...]:
    """One address is one address; a whole network keeps the host's part, which no row can say."""
    value, mask = network(options["--to"].value if "--to" in options else "", where.six)
    kind = _NETMAP.get(where.chain)
    if kind is None or mask is not None or not isinstance(value, int):
        raise ValueError("a network, or in a chain of no known hook")
    return (Nat(kind, value),)


def _dscp(options: Options, where: Where) -> tuple[Step, ...]:
    key = "ip6 dscp" if where.six else "ip dscp"
    return (Mangle(key, _only(options, "--set-dscp", 63)),)


def _tos(options: Options, where: Where) -> tuple[Step, ...]:
    if where.six or options.keys() != {"--set-tos"}:
        raise ValueError("the traffic class is no field")
    value, mask = masked(options["--set-tos"].value, 0xFF)
    return (Mangle("ip tos", value, ~mask & 0xFF),)


def _ttl(key: str, name: str) -> _Reader:
    return lambda options, where: (Mangle(key, _only(options, name, 255)),)


def _only(options: Options, name: str, largest: int) -> int:
    if options.keys() != {name}:
        raise ValueError("not known")
    return number(options[name].value, largest)


_TARGETS: dict[str, _Reader] = {
    "MARK": _marks("meta mark"),
    "CONNMARK": _marks("ct mark"),
    "CT": _ct,
    "NOTRACK": _notrack,
    "DNAT": _address_nat("dnat", "--to-destination"),
    "SNAT": _address_nat("snat", "--to-source"),
    "MASQUERADE": _port_nat("masquerade"),
    "REDIRECT": _port_nat("redirect"),
    "NETMAP": _netmap,
    "DSCP": _dscp,
    "TOS": _tos,
    "TTL": _ttl("ip ttl", "--ttl-set"),
    "HL": _ttl("ip6 hoplimit", "--hl-set"),
}

"""Rules that libvirt gives to ebtables (``ebtablesCreateRuleInstance``)."""

from collections.abc import Callable, Sequence
from types import MappingProxyType

from hopback.network.nwfilter.items import TRANSPORTS, Items, number, protocol
from hopback.snapshot.rows import Field, Match, NwItem, Opaque, Operator, Span, Step, Verdict

_ETHER_TYPES = {"arp": 0x0806, "rarp": 0x8035, "ipv4": 0x0800, "ipv6": 0x86DD, "vlan": 0x8100}
_STP_GROUP = 0x0180_C200_0000
_OPERATIONS = {
    "request": 1, "reply": 2, "request_reverse": 3, "reply_reverse": 4, "drarp_request": 5,
    "drarp_reply": 6, "drarp_error": 7, "inarp_request": 8, "arp_nak": 9,
}  # fmt: skip
_VERDICTS = MappingProxyType(
    {
        "accept": (Verdict("accept"),),
        "drop": (Verdict("drop"),),
        "reject": (Verdict("drop"),),  # ebtables has no REJECT
        "return": (Verdict("return"),),
        "continue": (),
    }
)


def ethernet_steps(
    kind: str, items: Sequence[NwItem], action: str, reverse: bool
) -> tuple[Step, ...]:
    """The steps of one rule; ``reverse``: for frames from the guest of a rule for both ways."""
    read = Items(items, reverse)
    for name in ("comment", "state"):
        read.get(name)
    if kind:
        _READERS[kind](read)
    read.rest()
    return (*read.steps, *_VERDICTS.get(action, (Opaque(f"action {action}"),)))


def _macs(read: Items) -> None:
    read.mac("ether saddr", "srcmacaddr", "srcmacmask")
    read.mac("ether daddr", "dstmacaddr", "dstmacmask")


def _ether_type(text: str) -> int:
    known = _ETHER_TYPES.get(text.lower())
    return number(text) if known is None else known


def _of_type(ether_type: int) -> Callable[[Items], None]:
    def read(items: Items) -> None:
        items.add("ether type", ether_type)
        _macs(items)

    return read


def _mac(read: Items) -> None:
    read.take("ether type", "protocolid", _ether_type)
    _macs(read)


def _vlan(read: Items) -> None:
    _of_type(0x8100)(read)
    read.take("vlan id", "vlanid")
    # libvirt writes it in decimal, and ebtables takes every number for hexadecimal
    read.take("vlan type", "encap-protocol", lambda text: int(str(_ether_type(text)), 16))


def _stp(read: Items) -> None:
    _macs(read)
    read.add("ether daddr", _STP_GROUP)  # what is behind it stays opaque


def _arp(ether_type: int) -> Callable[[Items], None]:
    def read(items: Items) -> None:
        _of_type(ether_type)(items)
        items.take("arp operation", "opcode", _operation)
        items.take("arp htype", "hwtype")
        items.take("arp ptype", "protocoltype")
        mask = items.get("arpsrcipmask") if items.get("arpsrcipaddr") else None
        items.network("arp saddr ip", "arpsrcipaddr", mask)
        # libvirt forgets to look whether the mask was the source's
        items.network("arp daddr ip", "arpdstipaddr", items.get("arpdstipmask") or mask)
        items.mac("arp saddr ether", "arpsrcmacaddr")
        items.mac("arp daddr ether", "arpdstmacaddr")

    return read


def _operation(text: str) -> int:
    known = _OPERATIONS.get(text.lower())
    return number(text) if known is None else known


def _ip(ether_type: int, ip: str) -> Callable[[Items], None]:
    def read(items: Items) -> None:
        _of_type(ether_type)(items)
        items.network(f"{ip} saddr", "srcipaddr", items.get("srcipmask"))
        items.network(f"{ip} daddr", "dstipaddr", items.get("dstipmask"))
        if ip == "ip":
            items.take("ip tos", "dscp")  # --ip-tos, without shifting it
        found = items.get("protocol")
        items.take("ip protocol" if ip == "ip" else "meta l4proto", "protocol", protocol)
        transport = _transport(found)
        items.span(f"{transport} sport", "srcportstart", "srcportend")
        items.span(f"{transport} dport", "dstportstart", "dstportend")
        if ip == "ip6":
            _icmp6(items)

    return read


def _transport(found: NwItem | None) -> str:
    if found is None or found.negated:
        return "th"
    try:
        return TRANSPORTS.get(protocol(found.value), "th")
    except ValueError:
        return "th"


def _icmp6(items: Items) -> None:
    """Types and codes, each a range that may lack an end (``--ip6-icmp-type``)."""
    kinds = items.get("type"), items.get("typeend")
    codes = items.get("code"), items.get("codeend")
    first = next((item for item in (*kinds, *codes) if item is not None), None)
    if first is None:
        return
    try:
        kind, code = _range(*kinds), _range(*codes)
    except ValueError:
        items.steps.append(Opaque(f"{first.name}={first.value}"))
        return
    op: Operator = "!=" if first.negated else "=="
    if codes == (None, None):
        items.steps.append(Match((Field("icmpv6 type"),), ((kind,),), op))
    else:
        fields = (Field("icmpv6 type"), Field("icmpv6 code"))
        items.steps.append(Match(fields, ((kind, code),), op))


def _range(start: NwItem | None, end: NwItem | None) -> int | Span:
    first = number(start.value) if start else 0
    last = number(end.value) if end else first if start else 255
    return first if first == last else Span(first, last)


_READERS: MappingProxyType[str, Callable[[Items], None]] = MappingProxyType(
    {
        "mac": _mac,
        "vlan": _vlan,
        "stp": _stp,
        "arp": _arp(0x0806),
        "rarp": _arp(0x8035),
        "ip": _ip(0x0800, "ip"),
        "ipv6": _ip(0x86DD, "ip6"),
    }
)
ETHERNET = frozenset({"", *_READERS})
"""The elements whose rules ebtables gets; "" is a rule without one."""

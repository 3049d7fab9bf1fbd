"""To what a rule of NAT rewrites an end (nft_nat.c, nf_nat_masquerade.c, nf_nat_redirect.c)."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from hopback.datapath.netfilter.conntrack import addresses_of, inverse
from hopback.datapath.netfilter.fields import Packet, Undecided
from hopback.datapath.netfilter.nat import Range, end_of
from hopback.datapath.skb import Connection, Ip
from hopback.snapshot.rows import Element, Mapped, Nat, Span, Value, Verdict

LookUp = Callable[[Mapped], Element | None]

_LOOPBACK: dict[str, Ip] = {"ip": IPv4Address("127.0.0.1"), "ip6": IPv6Address("::1")}


def target_of(
    packet: Packet, connection: Connection, step: Nat, look_up: LookUp
) -> Range | Verdict | None:
    """The range for this packet, or a verdict instead; None if a map has nothing for it.

    Raises Undecided where the host's addresses are needed and were not listed.
    """
    try:
        address, port = _wanted(step, look_up)
    except LookupError:
        return None
    ports = None if port is None else _numbers(port)
    now = inverse(connection.reply)
    kept = now.source if end_of(packet.seen.hook) == "source" else now.target
    if step.kind in ("masquerade", "redirect"):
        own = _own(packet, kept, step.kind)
        return own if isinstance(own, Verdict) else Range(own, own, ports)
    if address is None:
        return Range(kept, kept, ports)
    first, last = _numbers(address)
    make = IPv6Address if packet.seen.family == "ip6" else IPv4Address
    return Range(make(first), make(last), ports)


def _wanted(step: Nat, look_up: LookUp) -> tuple[Value | None, Value | None]:
    """Address and port that the rule names; LookupError if a map of its has nothing."""
    if step.both is not None:
        pair = _looked_up(step.both, look_up)
        return pair[0], pair[-1]
    address, port = (
        _looked_up(part, look_up)[0] if isinstance(part, Mapped) else part
        for part in (step.address, step.port)
    )
    return address, port


def _looked_up(mapped: Mapped, look_up: LookUp) -> Element:
    found = look_up(mapped)
    if found is None:
        raise LookupError
    return found


def _numbers(value: Value) -> tuple[int, int]:
    if isinstance(value, Span):
        return value.first, value.last
    if isinstance(value, int):
        return value, value
    raise Undecided


def _own(packet: Packet, kept: Ip, kind: str) -> Ip | Verdict:
    """The address of the device by which the packet leaves, or (redirect) came in.

    Without one the packet is dropped; one that has no source yet is left alone.
    """
    seen = packet.seen
    if kind == "redirect" and seen.hook == "output":
        return _LOOPBACK[seen.family]
    near = seen.nexthop or addresses_of(packet.raw, packet.headers)[1]
    if kind == "masquerade" and not int(kept):
        return Verdict("accept")
    own = packet.addresses.source(seen.outdev if kind == "masquerade" else seen.indev, near)
    if own is not None:
        return own
    if not packet.addresses.whole:
        raise Undecided
    return Verdict("drop")

"""Rules that change the packet, or what travels beside it (nft_payload_set_eval, xt_MARK …)."""

from msgspec.structs import replace

from hopback.datapath.netfilter.fields import Packet, Undecided
from hopback.datapath.netfilter.headers import store
from hopback.datapath.netfilter.layout import place_of
from hopback.datapath.netfilter.rewrite import sealed
from hopback.snapshot.rows import Mangle

_OF_NO_ACCOUNT = frozenset(("meta nftrace", "meta priority", "meta secmark", "ct label"))
_WORD = 0xFFFF_FFFF


def mangle(packet: Packet, step: Mangle) -> str | None:
    """Change the packet; the rule of the model by which it did, None if nothing is any different.

    Raises Undecided for what is not in the model.
    """
    if step.key in _OF_NO_ACCOUNT:
        return None
    place = place_of(step.key)
    if place is not None and not packet.has_protocol(place[1], told=False):
        return None
    old = packet.get(step.key)
    source = packet.get(step.source) if step.source else 0
    if old is None or source is None:
        return None
    if not isinstance(old, int) or not isinstance(source, int):
        raise Undecided
    value = old & step.keep ^ source & step.mask ^ step.xor
    if place is None:
        return _set(packet, step.key, value & _WORD)
    raw = store(packet.raw, packet.headers, place[0], value)
    if raw is None or raw == packet.raw:
        return None
    packet.rewrite(sealed(packet.raw, raw, packet.headers))
    return "filter-rewrites"


def _set(packet: Packet, key: str, value: int) -> str | None:
    skb = packet.skb
    if key == "meta mark":
        packet.skb = replace(skb, mark=value)
    elif key == "ct mark" and skb.connection is not None:
        packet.skb = replace(skb, connection=replace(skb.connection, mark=value))
    else:
        raise Undecided
    return None if packet.skb == skb else "filter-marks"

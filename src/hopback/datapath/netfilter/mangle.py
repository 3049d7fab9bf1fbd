"""Rules that change the packet, or what travels beside it (nft_payload_set_eval, xt_MARK …)."""

from msgspec.structs import replace

from hopback.datapath.netfilter.fields import Packet, Undecided
from hopback.datapath.netfilter.headers import store
from hopback.datapath.netfilter.layout import needs_of, place_of
from hopback.datapath.netfilter.rewrite import Cut, sealed
from hopback.snapshot.rows import Mangle

_OF_NO_ACCOUNT = frozenset(("meta nftrace", "meta priority", "meta secmark", "ct label"))
_UNSUMMED = ("@", "th ")
"""What nft takes for bytes of any protocol: it asks the kernel for no checksum (csum_type 0)."""

_WORD = 0xFFFF_FFFF


class Lacking(Exception):
    """The packet has no such field, or none to take the value from: the rule ends."""


def mangle(packet: Packet, step: Mangle) -> str | None:
    """Change the packet; the rule of the model by which it did, None if nothing is any different.

    Raises Lacking, and Undecided for what is not in the model. A packet without a connection is no
    reason to end the rule (nft_ct_set_eval).
    """
    if step.key in _OF_NO_ACCOUNT or (step.key == "ct mark" and packet.skb.connection is None):
        return None
    place = place_of(step.key)
    if not packet.has_protocol(needs_of(step.key), told=False):
        raise Lacking
    old = packet.get(step.key)
    source = packet.get(step.source) if step.source else 0
    if old is None or source is None:
        raise Lacking
    if not isinstance(old, int) or not isinstance(source, int):
        raise Undecided
    value = old & step.keep ^ source & step.mask ^ step.xor
    if place is None:
        return _set(packet, step.key, value & _WORD)
    raw = store(packet.raw, packet.headers, place, value)
    if raw is None:
        raise Lacking
    try:
        plain = place.base == "link" or step.key.startswith(_UNSUMMED)
        new = raw if plain else sealed(packet.raw, raw, packet.headers)
    except Cut:
        raise Lacking from None
    if new == packet.raw:
        return None
    packet.rewrite(new)
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

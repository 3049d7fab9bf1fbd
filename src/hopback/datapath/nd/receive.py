"""What a Linux station makes of the neighbour discovery it hears (net/ipv6/ndisc.c, 6.1 to 6.18).

A frame that returns is received like any other: nothing here asks whether the source is the
station's own address.
"""

from ipaddress import IPv6Address

from hopback.datapath.effects import Ask, Blind, Drop, Log, Why, World
from hopback.datapath.nd import dad, slaac
from hopback.datapath.nd.answer import answered, proxied
from hopback.datapath.nd.effects import HostEffect
from hopback.datapath.nd.state import Interface, Own
from hopback.datapath.skb import PacketType
from hopback.frames.build import ALL_NODES, solicited_node
from hopback.frames.ethernet import Frame
from hopback.frames.integrity import transport_checksum
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import format_mac
from hopback.frames.nd import SOURCE_LLADDR, TARGET_LLADDR, Na, NdMessage, Ns, Ra
from hopback.frames.raw import Malformed

_ANY = IPv6Address(0)
_HOP_LIMIT = 255  # who got further was forwarded (RFC 4861 7.1)
_LLADDR_SIZE = 6
_SOLICITED_NODE = int(solicited_node(_ANY)) >> 24


def receive(
    station: Interface, world: World, frame: Frame, packet_type: PacketType
) -> tuple[HostEffect, ...]:
    """The effects of one frame that came up on the interface; none if it is about something else.

    ``packet_type`` is what the device made of the frame. ``world`` answers what no table tells.
    """
    packet = frame.payload
    if not isinstance(packet, Ipv6) or not isinstance(packet.payload, Ns | Na | Ra):
        return ()
    message = packet.payload
    if station.settings.disabled:
        return (Drop(Why("ipv6-disabled", station.settings.why("disabled"))),)
    if packet_type == "otherhost" or not _listens(station, packet.dst):
        return (Drop(Why("nd-not-heard")),)
    if not _is_sound(packet, message) or transport_checksum(frame) == "wrong":
        return (Drop(Why("nd-malformed")),)
    if isinstance(message, Ns):
        return _solicited(station, world, frame, packet, message)
    if isinstance(message, Na):
        return _advertised(station, frame, message)
    return slaac.advertised(station, message)


def _listens(station: Interface, dst: IPv6Address) -> bool:
    """Whether IPv6 takes what is sent to ``dst``: a group of its own, or a usable address."""
    if not dst.is_multicast:
        return dst in station.addresses and station.addresses[dst].usable
    mine = (*station.addresses, *station.proxied, *station.anycast)
    if not (station.listed and station.proxied_listed):
        return True
    return dst == ALL_NODES or any(dst == solicited_node(address) for address in mine)


def _is_sound(packet: Ipv6, message: Ns | Na | Ra) -> bool:
    """What the kernel checks before it looks for the target."""
    if packet.hop_limit != _HOP_LIMIT or message.code or isinstance(message.tail, Malformed):
        return False
    if packet.src.is_multicast:
        return False
    if isinstance(message, Ra):
        return packet.src.is_link_local
    if message.target.is_multicast:
        return False
    if isinstance(message, Na):
        group = packet.dst.is_multicast and message.solicited
        return not group and _has_sound(message, TARGET_LLADDR)
    if packet.src == _ANY:
        return _is_solicited_node(packet.dst) and message.option(SOURCE_LLADDR) is None
    return _has_sound(message, SOURCE_LLADDR)


def _has_sound(message: NdMessage, kind: int) -> bool:
    data = message.option(kind)
    return data is None or len(data) == _LLADDR_SIZE


def _is_solicited_node(dst: IPv6Address) -> bool:
    return int(dst) >> 24 == _SOLICITED_NODE


def _solicited(
    station: Interface, world: World, frame: Frame, packet: Ipv6, message: Ns
) -> tuple[HostEffect, ...]:
    """``ndisc_recv_ns``."""
    own = station.addresses.get(message.target)
    if own is None:
        return proxied(station, frame, packet, message)
    if own.tentative and packet.src == _ANY:
        return _collided(station, world, own, frame, message)
    if own.tentative and not own.optimistic:
        return (Drop(Why("dad-tentative", own.refs)),)
    return answered(station, own, frame, packet, message)


def _collided(
    station: Interface, world: World, own: Own, frame: Frame, message: Ns
) -> tuple[HostEffect, ...]:
    """Somebody probes the address that the station itself is probing: perhaps the station."""
    if own.nonce is not None and message.nonce == own.nonce:
        enhanced = dad.is_enhanced(station, world)
        if enhanced is None:
            return (Ask(dad.enhanced_question(station.dev)),)
        if enhanced:
            return (Drop(Why("dad-nonce", station.settings.why("enhanced"))),)
    return dad.failure(station, own, frame.src)


def _advertised(station: Interface, frame: Frame, message: Na) -> tuple[HostEffect, ...]:
    """``ndisc_recv_na``: no nonce protects from one that is heard while the address is tentative.

    Of somebody else's address only the neighbour table learns, which is not modelled.
    """
    settings = station.settings
    if settings.drop_unsolicited and not message.solicited:
        return (Drop(Why("na-unsolicited", settings.why("drop_unsolicited"))),)
    own = station.addresses.get(message.target)
    if own is None and not station.listed:
        return (Blind("an address that the listing given lacks", ()),)
    if own is None:
        return (Drop(Why("nd-not-mine")),)
    if own.tentative:
        return dad.failure(station, own, frame.src)
    return (Log(_claim_text(station, own, frame), Why("na-own", own.refs)),)


def _claim_text(station: Interface, own: Own, frame: Frame) -> str:
    kernel = station.kernel
    who = format_mac(frame.src) if kernel.logs_name_mac else "someone"
    verb = "advertised" if kernel.logs_name_mac else "advertises"
    head = "ICMPv6: NA:" if kernel.logs_prefixed else "ICMPv6 NA:"
    return f"{head} {who} {verb} our address {own.address} on {station.dev.name}!"

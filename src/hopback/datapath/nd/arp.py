"""When a Linux station answers ARP (net/ipv4/arp.c:arp_process, 6.1 to 6.18).

The addresses are the host's, not the interface's: by default any interface answers for any of them
(the weak host model). What is not its own it answers for as a router, but never to a probe
(RFC 5227 2.1.1, sender 0.0.0.0).
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from hopback.datapath.effects import Blind, Drop, Send, Why
from hopback.datapath.nd.effects import HostEffect, Later
from hopback.datapath.nd.state import SECOND
from hopback.datapath.skb import PacketType
from hopback.frames import arp
from hopback.frames.arp import Arp
from hopback.frames.build import arp_reply
from hopback.frames.ethernet import ARP, Frame
from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Ref, merge_refs

Scope = Literal["global", "link", "host"]

_ANY = IPv4Address(0)
_EVERYBODY = IPv4Address("255.255.255.255")


class ArpSettings(Struct, frozen=True):
    """An interface's settings, those of ``all`` taken into account; times in ns."""

    ignore: int = 0
    filter: bool = False
    announce: int = 0
    proxy: bool = False
    pvlan: bool = False
    forwarding: bool = False
    rp_filter: int = 0
    accept_local: bool = False
    drop_gratuitous: bool = False
    route_localnet: bool = False
    medium: int = 0
    proxy_delay: int = 8 * SECOND // 10
    refs: Mapping[str, tuple[Ref, ...]] = MappingProxyType({})

    def why(self, *names: str) -> tuple[Ref, ...]:
        """The rows that told these settings."""
        return merge_refs(*(self.refs.get(name, ()) for name in names))


class Local(Struct, frozen=True):
    """An IPv4 address of the host, on one of its interfaces."""

    address: IPv4Address
    prefix_len: int
    dev: DevId
    scope: Scope = "global"
    refs: tuple[Ref, ...] = ()

    @property
    def network(self) -> IPv4Network:
        """The subnet that it is in."""
        return IPv4Network((self.address, self.prefix_len), strict=False)


class Way(Struct, frozen=True):
    """A route of the host: by ``dev``, whatever the next hop; None: to nowhere (blackhole …)."""

    network: IPv4Network
    dev: DevId | None
    metric: int = 0
    refs: tuple[Ref, ...] = ()


class ArpInterface(Struct, frozen=True):
    """An interface, and what of its host decides whether it answers.

    ``proxied`` are its ``ip neigh add proxy`` entries. ``media`` are the medium_id of interfaces
    that have one. ``blind`` says why the host's routes cannot be told by ``ways`` alone;
    ``listed``, ``proxied_listed``: whether these are all its addresses, and all proxy entries.
    """

    dev: DevId
    mac: Mac
    settings: ArpSettings = ArpSettings()
    locals: tuple[Local, ...] = ()
    ways: tuple[Way, ...] = ()
    proxied: Mapping[IPv4Address, tuple[Ref, ...]] = MappingProxyType({})
    media: Mapping[DevId, int] = MappingProxyType({})
    blind: tuple[str, tuple[Ref, ...]] | None = None
    listed: bool = True
    proxied_listed: bool = True

    def way_to(self, address: IPv4Address) -> Way | None:
        """The longest prefix's way; of several the one with the least metric, listed first."""
        found = [way for way in self.ways if address in way.network]
        best = max(found, key=lambda w: (w.network.prefixlen, -w.metric), default=None)
        return best if best is not None and best.dev is not None else None

    def local(self, address: IPv4Address) -> Local | None:
        """The host's address, wherever it is; on this interface if there, too."""
        found = [mine for mine in self.locals if mine.address == address]
        return next((mine for mine in found if mine.dev == self.dev), found[0] if found else None)


def receive(station: ArpInterface, frame: Frame, packet_type: PacketType) -> tuple[HostEffect, ...]:
    """The effects of one frame that came up on the interface; none if it is no ARP."""
    message = frame.payload
    if frame.ethertype != ARP or not isinstance(message, Arp):
        return ()
    if packet_type == "otherhost" or message.op not in (arp.REQUEST, arp.REPLY):
        return (Drop(Why("arp-refused")),)
    refused = _refused(station, message)
    if refused is not None or message.op == arp.REPLY:
        return (Drop(refused or Why("arp-not-mine")),)
    if not station.listed and station.local(message.target_ip) is None:
        return (Blind("an address that the listing given lacks", ()),)
    if message.sender_ip == _ANY:
        return _probed(station, message)
    refused = _unreachable(station, message.sender_ip)
    if refused is not None:
        return (Drop(refused),)
    if station.blind is not None and _needs_way(station, message):
        return (Blind(*station.blind),)
    refused = _from_elsewhere(station, message.sender_ip)
    if refused is not None:
        return (Drop(refused),)
    mine = station.local(message.target_ip)
    if mine is not None:
        return _asked(station, message, mine)
    return _proxied(station, message, packet_type)


def _needs_way(station: ArpInterface, message: Arp) -> bool:
    settings = station.settings
    local = station.local(message.target_ip) is not None
    return bool(settings.rp_filter) or (settings.filter if local else settings.forwarding)


def _refused(station: ArpInterface, message: Arp) -> Why | None:
    """About an address that nobody has, or an announcement that is not taken."""
    settings, target = station.settings, message.target_ip
    if target.is_multicast or (target.is_loopback and not settings.route_localnet):
        return Why("arp-refused")
    if message.sender_ip == target and settings.drop_gratuitous:
        return Why("arp-refused", settings.why("drop_gratuitous"))
    return None


def _probed(station: ArpInterface, message: Arp) -> tuple[HostEffect, ...]:
    """RFC 5227: somebody wants to know whether an address is free."""
    mine = station.local(message.target_ip)
    if mine is None:
        return (Drop(Why("arp-not-mine")),)
    if _ignores(station, message):
        return (Drop(_ignored(station, mine)),)
    return (_answer(station, message, Why("arp-probe-answered", mine.refs)),)


def _asked(station: ArpInterface, message: Arp, mine: Local) -> tuple[HostEffect, ...]:
    """Somebody asks for ``mine``, an address of the host."""
    if _ignores(station, message):
        return (Drop(_ignored(station, mine)),)
    back = station.way_to(message.sender_ip)
    if station.settings.filter and (back is None or back.dev != station.dev):
        refs = merge_refs(station.settings.why("filter"), back.refs if back else ())
        return (Drop(Why("arp-filtered", refs)),)
    refs = merge_refs(mine.refs, station.settings.why("ignore"))
    return (_answer(station, message, Why("arp-answered", refs)),)


def _ignored(station: ArpInterface, mine: Local) -> Why:
    return Why("arp-ignored", merge_refs(station.settings.why("ignore"), mine.refs))


def _ignores(station: ArpInterface, message: Arp) -> bool:
    """``arp_ignore`` and ``inet_confirm_addr``."""
    target, sender = message.target_ip, message.sender_ip
    here = [mine for mine in station.locals if mine.dev == station.dev]
    match station.settings.ignore:
        case 1:
            return not any(mine.address == target for mine in here)
        case 2:
            subnets = [m.network for m in here if target in m.network]
            near = any(sender == _ANY or sender in subnet for subnet in subnets)
            return not near or not any(mine.address == target for mine in here)
        case 3:
            mine = [m for m in station.locals if m.address == target]
            return all(m.scope == "host" for m in mine)
        case 8:
            return True
    return False


def _unreachable(station: ArpInterface, sender: IPv4Address) -> Why | None:
    """``ip_route_input``: a sender that cannot be, or that is the host itself."""
    settings = station.settings
    nobody = sender.is_multicast or sender == _EVERYBODY
    if nobody or (sender.is_loopback and not settings.route_localnet):
        return Why("arp-refused")
    mine = station.local(sender)
    if mine is not None and not settings.accept_local:
        return Why("arp-own-source", merge_refs(mine.refs, settings.why("accept_local")))
    return None


def _from_elsewhere(station: ArpInterface, sender: IPv4Address) -> Why | None:
    """rp_filter (``__fib_validate_source``): the way back has to be by this interface, or to be."""
    if not station.settings.rp_filter:
        return None
    back = station.way_to(sender)
    if back is not None and back.dev == station.dev:
        return None
    loose = station.settings.rp_filter == 2
    if loose and back is not None and any(m.dev == station.dev for m in station.locals):
        return None
    refs = merge_refs(station.settings.why("rp_filter"), back.refs if back else ())
    return Why("arp-rp-filter", refs)


def _proxied(
    station: ArpInterface, message: Arp, packet_type: PacketType
) -> tuple[HostEffect, ...]:
    """As a router it may answer for what it reaches itself: arp_fwd_proxy, arp_fwd_pvlan."""
    settings, target = station.settings, message.target_ip
    way = station.way_to(target)
    if not settings.forwarding or way is None or _is_broadcast(station, target):
        return (Drop(Why("arp-not-mine", settings.why("forwarding"))),)
    if way.dev == station.dev:
        if not settings.pvlan or message.sender_ip == target:
            return (Drop(Why("arp-not-mine", settings.why("pvlan"))),)
        why = Why("arp-pvlan", merge_refs(settings.why("pvlan", "forwarding"), way.refs))
    elif settings.proxy and _is_another_medium(station, way.dev):
        why = Why("arp-proxied", merge_refs(settings.why("proxy", "forwarding"), way.refs))
    elif target in station.proxied:
        why = Why("arp-proxy-entry", merge_refs(station.proxied[target], way.refs))
    elif not station.proxied_listed:
        return (Blind("proxy entries, which nobody listed", settings.why("forwarding")),)
    else:
        return (Drop(Why("arp-not-mine", settings.why("proxy"))),)
    answer = _answer(station, message, why)
    if packet_type == "host" or not settings.proxy_delay:
        return (answer,)
    return (Later(station.dev, answer.frame, settings.proxy_delay, why),)


def _is_broadcast(station: ArpInterface, target: IPv4Address) -> bool:
    networks = (mine.network for mine in station.locals)
    return target == _EVERYBODY or any(
        network.prefixlen < 31 and target == network.broadcast_address for network in networks
    )


def _is_another_medium(station: ArpInterface, out: DevId | None) -> bool:
    if station.settings.medium <= 0:
        return station.settings.medium == 0
    other = station.media.get(out, 0) if out else 0
    return other not in (station.settings.medium, -1)


def _answer(station: ArpInterface, message: Arp, why: Why) -> Send:
    sender = message.sender_mac
    reply = arp_reply(station.mac, message.target_ip, sender, message.sender_ip)
    return Send(station.dev, reply, why)


def asks_as(station: ArpInterface, target: IPv4Address, source: IPv4Address | None) -> IPv4Address:
    """``arp_solicit``: the sender address with which the station asks for ``target``.

    ``source`` is that of the packet that waits for the answer, None if there is none.
    """
    announce = station.settings.announce
    mine = station.local(source) if source is not None else None
    if mine is not None and source is not None:
        near = (m.network for m in station.locals if m.dev == station.dev)
        if announce == 0 or (
            announce == 1 and any(target in subnet and source in subnet for subnet in near)
        ):
            return source
    return _selected(station, target)


def _selected(station: ArpInterface, target: IPv4Address) -> IPv4Address:
    """``inet_select_addr``: an address of this interface, in the target's subnet if it can be."""
    usable = [mine for mine in station.locals if mine.scope != "host"]
    here = [mine for mine in usable if mine.dev == station.dev]
    near = [mine for mine in here if target in mine.network]
    elsewhere = [mine for mine in usable if mine.dev != station.dev and mine.scope == "global"]
    chosen = (*near, *here, *elsewhere)
    return chosen[0].address if chosen else _ANY

"""The advertisements by which a Linux station answers (net/ipv6/ndisc.c:ndisc_send_na, 6.18).

It answers for its own addresses and, as a router, for the subnet's anycast address and for those
of ``ip -6 neigh add proxy``: also to somebody's duplicate detection.
"""

from ipaddress import IPv6Address

from msgspec.structs import replace

from hopback.datapath.effects import Blind, Drop, Send, Why
from hopback.datapath.nd.effects import HostEffect, Later, Meet
from hopback.datapath.nd.state import Interface, Own
from hopback.frames.build import advertisement
from hopback.frames.ethernet import Frame
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import Mac, is_group
from hopback.frames.nd import Na, Ns
from hopback.network.facts import merge_refs

_ANY = IPv6Address(0)
_LINK, _GLOBAL = 2, 14  # scopes (RFC 4291 2.7)


def answered(
    station: Interface, own: Own, frame: Frame, packet: Ipv6, message: Ns
) -> tuple[HostEffect, ...]:
    """Somebody asks for ``own``, which the station uses."""
    why = Why("nd-answered", own.refs)
    told = Na(own.address, station.settings.forwarding, override=not own.optimistic)
    return _reply(station, packet, (own.address, told), why)


def proxied(station: Interface, frame: Frame, packet: Ipv6, message: Ns) -> tuple[HostEffect, ...]:
    """Somebody asks for an address that is not the station's: perhaps it answers all the same."""
    settings, target = station.settings, message.target
    if target in station.anycast:
        refs = merge_refs(settings.why("forwarding"), station.anycast[target])
        told, why = Na(target, settings.forwarding), Why("nd-anycast", refs)
    elif settings.forwarding and settings.proxies and target in station.proxied:
        entry = station.proxied[target]
        refs = merge_refs(settings.why("forwarding", "proxies"), entry.refs)
        told, why = Na(target, entry.router), Why("nd-proxied", refs)
    elif not station.listed:
        return (Blind("an address that the listing given lacks", ()),)
    elif settings.forwarding and settings.proxies and not station.proxied_listed:
        return (Blind("proxy entries, which nobody listed", settings.why("proxies")),)
    else:
        return (Drop(Why("nd-not-mine")),)
    source = _source(station, packet.src)
    if source is None:
        return (Drop(Why("nd-no-source")),)
    if _may_be_elsewhere(source, packet.src):
        return (Blind("the answer may have the address of another interface", source.refs),)
    effects = _reply(station, packet, (source.address, told), why)
    if is_group(frame.dst) and settings.proxy_delay:
        return tuple(_later(effect, settings.proxy_delay) for effect in effects)
    return effects


def _later(effect: HostEffect, most: int) -> HostEffect:
    return Later(effect.dev, effect.frame, most, effect.why) if isinstance(effect, Send) else effect


def _reply(
    station: Interface, packet: Ipv6, told: tuple[IPv6Address, Na], why: Why
) -> tuple[HostEffect, ...]:
    """The answer, to all nodes if nobody in particular asked, else to the asker.

    Who asks one station alone whether it is still there gets no address told again.
    """
    source, message = told
    if packet.src == _ANY:
        return (Send(station.dev, advertisement(station.mac, source, message), why),)
    asks_group = packet.dst.is_multicast
    asker = _asker(station, packet)
    if asker is None:
        if asks_group:
            return (Drop(Why("nd-asker-unknown")),)
        return (Blind("a solicitation without the asker's MAC, which the station has to find", ()),)
    message = replace(message, solicited=True, override=message.override and asks_group)
    sent = advertisement(station.mac, source, message, (packet.src, asker), told=asks_group)
    answer = Send(station.dev, sent, why)
    if station.known.get(packet.src) == asker:
        return (answer,)
    return (Meet(station.dev, packet.src, asker, Why("nd-asker-known")), answer)


def _asker(station: Interface, packet: Ipv6) -> Mac | None:
    assert isinstance(packet.payload, Ns)  # noqa: S101  (as received)
    return packet.payload.source_lladdr or station.known.get(packet.src)


def _source(station: Interface, asker: IPv6Address) -> Own | None:
    """``ipv6_dev_get_saddr`` (RFC 6724 5, rules 1 to 3 and 8) among the interface's addresses."""
    # of equals it takes the one that was added last (ipv6_link_dev_addr)
    usable = [own for own in [*station.addresses.values()][::-1] if station.speaks_as(own)]
    wanted = asker if asker != _ANY else IPv6Address("ff02::1")
    return max(usable, key=lambda own: _rank(own, wanted), default=None)


def _may_be_elsewhere(source: Own, asker: IPv6Address) -> bool:
    """To a global asker the kernel may answer from any interface; one here has to be the best."""
    if asker == _ANY or asker.is_link_local:
        return False
    return source.address.is_link_local or source.deprecated


def _rank(own: Own, asker: IPv6Address) -> tuple[object, ...]:
    scope, wanted = _scope(own.address), _scope(asker)
    fits = (1, -scope) if scope >= wanted else (0, scope)
    same = min(128 - (int(own.address) ^ int(asker)).bit_length(), own.prefix_len)
    return (own.address == asker, fits, not own.deprecated, not own.optimistic, same)


def _scope(address: IPv6Address) -> int:
    return _LINK if address.is_link_local or address.is_multicast else _GLOBAL

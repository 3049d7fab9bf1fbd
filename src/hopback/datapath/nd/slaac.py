"""Addresses from router advertisements (RFC 4862 5.5; net/ipv6/addrconf.c:addrconf_prefix_rcv).

Temporary addresses (use_tempaddr), tokens and the routes that an advertisement makes are not
modelled.
"""

from ipaddress import IPv6Address

from msgspec.structs import replace

from hopback.datapath.effects import Drop, Why
from hopback.datapath.nd.effects import Alter, Form, HostEffect
from hopback.datapath.nd.state import RANDOM, STABLE, Interface, Own
from hopback.frames.build import link_local
from hopback.frames.nd import SOURCE_LLADDR, Prefix, Ra

_AUTONOMOUS = 0x40
_IDENTIFIER = (1 << 64) - 1


def advertised(station: Interface, message: Ra) -> tuple[HostEffect, ...]:
    """The effects of an advertisement: for each prefix an address, if there is none."""
    if not station.settings.accepts_ra:
        return (Drop(Why("ra-refused", station.settings.why("accept_ra", "forwarding"))),)
    names_router = message.option(SOURCE_LLADDR) is not None
    return tuple(
        effect
        for prefix in message.prefixes
        for effect in _prefix(station, prefix, names_router=names_router)
    )


def _prefix(station: Interface, prefix: Prefix, *, names_router: bool) -> tuple[HostEffect, ...]:
    settings = station.settings
    unfit = prefix.prefix.is_multicast or prefix.prefix.is_link_local
    unfit = unfit or prefix.preferred > prefix.valid or prefix.length != 64
    if unfit or not prefix.flags & _AUTONOMOUS or not settings.autoconf:
        return (Drop(Why("ra-no-address", settings.why("autoconf"))),)
    stable = settings.gen_mode in (STABLE, RANDOM)
    mine = _existing(station, prefix.prefix, stable=stable)
    if mine is not None:
        return _refreshed(station, mine, prefix)
    if not prefix.valid:
        return (Drop(Why("ra-no-address", settings.why("autoconf"))),)
    identifier = 0 if stable else int(link_local(station.mac)) & _IDENTIFIER
    own = Own(
        IPv6Address(int(prefix.prefix) & ~_IDENTIFIER | identifier),
        optimistic=settings.optimistic and names_router,
        deprecated=not prefix.preferred,
        permanent=False,
        stable=stable,
    )
    why = Why("ra-address", settings.why("accept_ra", "autoconf", "gen_mode"))
    return (Form(station.dev, own, 0, why),)


def _existing(station: Interface, prefix: IPv6Address, *, stable: bool) -> Own | None:
    """The address that this prefix gave before; a stable one that failed has other bits."""
    network = int(prefix) >> 64
    identifier = int(link_local(station.mac)) & _IDENTIFIER
    for own in station.addresses.values():
        same = int(own.address) >> 64 == network
        first = own.retries == 0 if own.stable else int(own.address) & _IDENTIFIER == identifier
        if same and own.stable == stable and first:
            return own
    return None


def _refreshed(station: Interface, own: Own, prefix: Prefix) -> tuple[HostEffect, ...]:
    after = replace(own, deprecated=not prefix.preferred)
    if after == own or own.permanent:
        return ()
    return (Alter(station.dev, own, after, Why("ra-refreshed", own.refs)),)

"""IPv6 duplicate address detection of a Linux station (RFC 4862 5.4, RFC 7527).

net/ipv6/addrconf.c: addrconf_dad_start, _begin, _kick, _work, _completed, _failure, _stop. Read in
Linux 6.1 to 6.18; what differs in older kernels is in ``datapath.kernel``.
"""

from ipaddress import IPv6Address

from msgspec.structs import replace

from hopback.datapath.effects import Drop, Log, Question, Send, Why, World
from hopback.datapath.nd.effects import Alter, Arm, Disable, Form, HostEffect
from hopback.datapath.nd.state import NONE, RANDOM, SECOND, STABLE, Interface, Own
from hopback.frames.build import dad_ns, link_local, na, router_solicitation
from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import DevId

_RETRANS_MIN = SECOND // 100
_LINK_LOCAL = IPv6Address("fe80::")


def enhanced_question(dev: DevId) -> Question:
    """Asked of a station whose kernel and settings nobody told."""
    text = "does its duplicate detection carry a nonce (RFC 7527), as Linux does since 4.10?"
    return Question(dev, text, ("yes", "no"), "yes")


def is_enhanced(station: Interface, world: World) -> bool | None:
    """Whether duplicate detection carries a nonce; None while neither rows nor answers tell."""
    if station.settings.enhanced is not None:
        return station.settings.enhanced
    answer = world.get(enhanced_question(station.dev))
    return None if answer is None else answer == "yes"


def formed_at_up(station: Interface) -> tuple[HostEffect, ...]:
    """``addrconf_addr_gen``: the link-local address that an interface gets when it comes up."""
    settings = station.settings
    if settings.disabled or settings.gen_mode == NONE:
        return ()
    stable = settings.gen_mode in (STABLE, RANDOM)
    address = _LINK_LOCAL if stable else link_local(station.mac)
    own = Own(address, stable=stable, optimistic=settings.optimistic)
    return (Form(station.dev, own, 0, Why("link-local", settings.why("gen_mode"))),)


def begin(station: Interface, world: World, own: Own, nonce: bytes) -> tuple[HostEffect, ...]:
    """The address is put on the interface. ``nonce``: six random bytes, for when one is needed.

    Where nothing tells whether the station uses one, it is taken to, and asked about if it matters.
    """
    settings = station.settings
    if settings.disabled:
        return (Drop(Why("ipv6-disabled", settings.why("disabled"))),)
    if settings.accept_dad < 1 or own.nodad:
        why = Why("dad-off", settings.why("accept_dad"))
        valid = replace(own, tentative=False, optimistic=False, detecting=False, failed=False)
        fresh = replace(own, tentative=not own.nodad)
        return (Alter(station.dev, None, valid, why), *_completed(station, fresh))
    why = Why("dad-begin", settings.why("accept_dad", "enhanced", "transmits"))
    started = replace(
        own,
        tentative=True,
        failed=False,
        detecting=True,
        nonce=None if is_enhanced(station, world) is False else nonce,
        probes=settings.transmits,
    )
    most = 0 if own.optimistic else max(settings.delay - 1, 0)
    return (
        Alter(station.dev, None, started, why),
        Arm(station.dev, own.address, 0, most, why),
    )


def work(station: Interface, address: IPv6Address) -> tuple[HostEffect, ...]:
    """``addrconf_dad_work``, when the time that ``Arm`` told is over."""
    own = station.addresses.get(address)
    if own is None or not own.detecting:
        return ()
    if not own.probes:
        why = Why("dad-valid", station.settings.why("transmits"))
        valid = replace(own, tentative=False, optimistic=False, detecting=False)
        return (Alter(station.dev, own, valid, why), *_completed(station, own))
    why = Why("dad-probe", station.settings.why("transmits", "enhanced"))
    wait = max(station.settings.retrans, _RETRANS_MIN)
    return (
        Alter(station.dev, own, replace(own, probes=own.probes - 1), why),
        Arm(station.dev, address, wait, wait, why),
        Send(station.dev, dad_ns(station.mac, address, own.nonce), why),
    )


def _completed(station: Interface, own: Own) -> tuple[HostEffect, ...]:
    """``addrconf_dad_completed``; ``own`` as it was before."""
    settings = station.settings
    effects: tuple[HostEffect, ...] = ()
    if settings.notify and own.tentative and not own.optimistic:
        told = na(station.mac, own.address, router=settings.forwarding)
        effects += (Send(station.dev, told, Why("dad-announced", settings.why("notify"))),)
    lonely = own.address.is_link_local and not any(
        other.address.is_link_local and other.permanent and not other.tentative
        for other in station.addresses.values()
        if other.address != own.address
    )
    if lonely and settings.accepts_ra and settings.solicits:
        asked = router_solicitation(station.mac, own.address)
        effects += (Send(station.dev, asked, Why("router-solicited", settings.why("accept_ra"))),)
    return effects


def failure(station: Interface, own: Own, source: Mac) -> tuple[HostEffect, ...]:
    """``addrconf_dad_failure``: somebody else seems to have ``own``; ``source`` sent the frame."""
    if not own.detecting:
        return (Drop(Why("dad-over", own.refs)),)
    log = Log(_failure_text(station, own, source), Why("dad-failed", own.refs))
    return (log, *_regenerated(station, own), *_stopped(station, own))


def _failure_text(station: Interface, own: Own, source: Mac) -> str:
    kernel = station.kernel
    prefix = "IPv6: " if kernel.logs_prefixed else ""
    who = f" used by {format_mac(source)}" if kernel.logs_name_mac else ""
    return f"{prefix}{station.dev.name}: IPv6 duplicate address {own.address}{who} detected!"


def _regenerated(station: Interface, own: Own) -> tuple[HostEffect, ...]:
    """Of a stable address: another one, until there were too many."""
    if not own.stable:
        return ()
    settings = station.settings
    why = Why("dad-regenerated", settings.why("gen_mode", "idgen_retries"))
    if own.retries >= settings.idgen_retries:
        text = "privacy stable address generation failed because of DAD conflicts!"
        return (Log(f"IPv6: {station.dev.name}: {text}", why),)
    text = "generating new stable privacy address because of DAD conflict"
    another = Own(
        own.network.network_address,
        own.prefix_len,
        optimistic=own.optimistic,
        deprecated=own.deprecated,
        permanent=own.permanent,
        stable=True,
        retries=own.retries + 1,
    )
    return (
        Log(f"IPv6: {station.dev.name}: {text}", why),
        Form(station.dev, another, settings.idgen_delay, why),
    )


def _stopped(station: Interface, own: Own) -> tuple[HostEffect, ...]:
    """``addrconf_dad_stop``, and IPv6 disabled with accept_dad 2."""
    settings = station.settings
    if settings.accept_dad > 1 and not own.stable and own.address == link_local(station.mac):
        why = Why("dad-disabled", settings.why("accept_dad"))
        text = f"{station.dev.name}: IPv6 being disabled!"
        prefix = "IPv6: " if station.kernel.logs_prefixed else ""
        gone = Alter(station.dev, own, None, why)
        return (Log(prefix + text, why), gone, Disable(station.dev, why))
    if own.permanent and not own.temporary:
        failed = replace(own, failed=True, optimistic=False, detecting=False)
        return (Alter(station.dev, own, failed, Why("dad-kept", own.refs)),)
    return (Alter(station.dev, own, None, Why("dad-deleted", own.refs)),)

"""An interface's effective settings: how those of ``all`` and its own come together.

include/linux/inetdevice.h and the readers of each IPv6 setting, Linux 6.18. A setting that nothing
tells has the value that a new interface has; that of duplicate detection's nonce stays open.
"""

from collections.abc import Callable
from typing import NamedTuple

from hopback.datapath.kernel import Behaviour
from hopback.datapath.nd.arp import ArpSettings
from hopback.datapath.nd.state import SECOND, Settings
from hopback.network.facts import Ref

_MS = 1_000_000


class Told(NamedTuple):
    """A setting's value and the row that tells it."""

    value: int
    refs: tuple[Ref, ...] = ()


Lookup = Callable[[str], Told | None]
"""Finds a setting by its key as ``sysctl`` prints it; None if nothing tells."""


class _Reader:
    """Reads settings, and remembers the rows that told them."""

    def __init__(self, lookup: Lookup, family: str, name: str) -> None:
        self._lookup = lookup
        self._all = f"net.{family}.conf.all"
        self._own = f"net.{family}.conf.{_part(name)}"
        self.refs: dict[str, tuple[Ref, ...]] = {}

    def _note(self, field: str, *found: Told | None) -> None:
        refs = tuple(ref for told in found if told for ref in told.refs)
        if refs:
            self.refs[field] = self.refs.get(field, ()) + refs

    def key(self, field: str, key: str, default: int) -> int:
        told = self._lookup(key)
        self._note(field, told)
        return told.value if told else default

    def own(self, field: str, name: str, default: int) -> int:
        return self.key(field, f"{self._own}.{name}", default)

    def all(self, field: str, name: str, default: int) -> int:
        return self.key(field, f"{self._all}.{name}", default)

    def either(self, field: str, name: str, default: int = 0) -> int:
        """The greater of both: what ``all`` switches on, no interface switches off."""
        return max(self.own(field, name, default), self.all(field, name, 0))

    def told(self, name: str) -> bool:
        return all(self._lookup(f"{where}.{name}") for where in (self._own, self._all))


def _part(name: str) -> str:
    """A device's name in a key: its dots are not those between the parts."""
    return name.replace(".", "/")


def settings_of(name: str, kernel: Behaviour | None, lookup: Lookup) -> Settings:
    """The settings of the interface ``name``; ``kernel`` None where its version is not known."""
    read = _Reader(lookup, "ipv6", name)
    combine: Callable[[str, str, int], int] = read.either
    if kernel is not None and not kernel.dad_all:
        combine = read.own
    router = read.all("optimistic", "forwarding", 0)
    neigh = f"net.ipv6.neigh.{_part(name)}"
    return Settings(
        accept_dad=combine("accept_dad", "accept_dad", 1),
        enhanced=_enhanced(read, kernel),
        transmits=read.own("transmits", "dad_transmits", 1),
        retrans=read.key("retrans", f"{neigh}.retrans_time_ms", 1000) * _MS,
        delay=read.own("delay", "router_solicitation_delay", 1) * SECOND,
        optimistic=bool(combine("optimistic", "optimistic_dad", 0)) and not router,
        use_optimistic=bool(combine("use_optimistic", "use_optimistic", 0)),
        forwarding=bool(read.own("forwarding", "forwarding", 0)),
        gen_mode=read.own("gen_mode", "addr_gen_mode", 0),
        idgen_retries=read.key("idgen_retries", "net.ipv6.idgen_retries", 3),
        idgen_delay=read.key("idgen_delay", "net.ipv6.idgen_delay", 1) * SECOND,
        accept_ra=read.own("accept_ra", "accept_ra", 1),
        autoconf=bool(read.own("autoconf", "autoconf", 1)),
        solicits=read.own("solicits", "router_solicitations", -1),
        notify=bool(read.either("notify", "ndisc_notify")),
        drop_unsolicited=bool(read.own("drop_unsolicited", "drop_unsolicited_na", 0)),
        proxies=bool(read.either("proxies", "proxy_ndp")),
        # in clock ticks, of which every kernel shows 100 a second
        proxy_delay=read.key("proxy_delay", f"{neigh}.proxy_delay", 80) * SECOND // 100,
        disabled=bool(read.own("disabled", "disable_ipv6", 0)),
        refs=read.refs,
    )


def _enhanced(read: _Reader, kernel: Behaviour | None) -> bool | None:
    """Off only where both are 0. By default both are 1, so one row decides if it says so."""
    if kernel is not None and not kernel.enhanced_dad:
        return False
    on = bool(read.either("enhanced", "enhanced_dad"))
    if on or read.told("enhanced_dad"):
        return on
    return None if kernel is None else True


def arp_settings_of(name: str, lookup: Lookup) -> ArpSettings:
    """The settings of ARP on the interface ``name`` (IN_DEV_MAXCONF, _ORCONF, _CONF_GET)."""
    read = _Reader(lookup, "ipv4", name)
    delay = f"net.ipv4.neigh.{_part(name)}.proxy_delay"
    router = read.key("forwarding", "net.ipv4.ip_forward", 0)
    return ArpSettings(
        ignore=read.either("ignore", "arp_ignore"),
        filter=bool(read.either("filter", "arp_filter")),
        announce=read.either("announce", "arp_announce"),
        proxy=bool(read.either("proxy", "proxy_arp")),
        pvlan=bool(read.either("pvlan", "proxy_arp_pvlan")),
        forwarding=bool(read.own("forwarding", "forwarding", router)),
        rp_filter=read.either("rp_filter", "rp_filter"),
        accept_local=bool(read.either("accept_local", "accept_local")),
        drop_gratuitous=bool(read.either("drop_gratuitous", "drop_gratuitous_arp")),
        route_localnet=bool(read.either("route_localnet", "route_localnet")),
        medium=read.own("medium", "medium_id", 0),
        proxy_delay=read.key("proxy_delay", delay, 80) * SECOND // 100,
        refs=read.refs,
    )

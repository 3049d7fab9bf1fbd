"""A station's interface as neighbour discovery sees it (struct inet6_dev), at one moment."""

from collections.abc import Mapping
from ipaddress import IPv6Address, IPv6Network
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from hopback.datapath.kernel import CURRENT, Behaviour
from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Ref, merge_refs

SECOND = 1_000_000_000

EUI64, NONE, STABLE, RANDOM = range(4)
"""``addr_gen_mode`` (include/uapi/linux/if_link.h:in6_addr_gen_mode)."""

Phase = Literal["tentative", "optimistic", "preferred", "deprecated", "dadfailed"]


class Settings(Struct, frozen=True):
    """An interface's settings, those of ``all`` taken into account; times in ns.

    The defaults are a new interface's. ``enhanced`` is None where nothing tells whether duplicate
    detection carries a nonce. ``refs`` are the rows that told a setting, by its name.
    """

    accept_dad: int = 1
    enhanced: bool | None = True
    transmits: int = 1
    retrans: int = SECOND
    delay: int = SECOND
    optimistic: bool = False
    use_optimistic: bool = False
    forwarding: bool = False
    gen_mode: int = EUI64
    idgen_retries: int = 3
    idgen_delay: int = SECOND
    accept_ra: int = 1
    autoconf: bool = True
    solicits: int = -1
    notify: bool = False
    drop_unsolicited: bool = False
    proxies: bool = False
    proxy_delay: int = 8 * SECOND // 10
    disabled: bool = False
    refs: Mapping[str, tuple[Ref, ...]] = MappingProxyType({})

    def why(self, *names: str) -> tuple[Ref, ...]:
        """The rows that told these settings."""
        return merge_refs(*(self.refs.get(name, ()) for name in names))

    @property
    def accepts_ra(self) -> bool:
        """A router takes advertisements only where accept_ra is 2 (``ipv6_accept_ra``)."""
        return self.accept_ra > (1 if self.forwarding else 0)


class Own(Struct, frozen=True):
    """An address of the interface, with its flags (IFA_F_*).

    ``stable``: its identifier was made of a secret (stable-privacy), ``retries`` times anew.
    ``detecting``: duplicate detection runs, with this ``nonce``, and has ``probes`` to send yet.
    An optimistic address is tentative, too.
    """

    address: IPv6Address
    prefix_len: int = 64
    tentative: bool = False
    optimistic: bool = False
    failed: bool = False
    deprecated: bool = False
    permanent: bool = True
    temporary: bool = False
    nodad: bool = False
    stable: bool = False
    retries: int = 0
    detecting: bool = False
    nonce: bytes | None = None
    probes: int = 0
    refs: tuple[Ref, ...] = ()

    @property
    def phase(self) -> Phase:
        """The state of the address (RFC 4862 5.4, RFC 4429)."""
        if self.failed:
            return "dadfailed"
        if self.optimistic:
            return "optimistic"
        if self.tentative:
            return "tentative"
        return "deprecated" if self.deprecated else "preferred"

    @property
    def usable(self) -> bool:
        """Whether the station receives what is sent to it."""
        return not self.tentative or self.optimistic

    @property
    def network(self) -> IPv6Network:
        """The prefix that it is in."""
        return IPv6Network((self.address, self.prefix_len), strict=False)


class Proxied(Struct, frozen=True):
    """An ``ip -6 neigh add proxy`` entry of the interface."""

    router: bool = False
    refs: tuple[Ref, ...] = ()


class Interface(Struct, frozen=True):
    """``addresses`` are as they were added, the last one last.

    ``known`` are the neighbours whose MAC the station knows. ``listed``, ``proxied_listed``:
    whether these are all its addresses, and all its proxy entries.
    """

    dev: DevId
    mac: Mac
    settings: Settings = Settings()
    addresses: Mapping[IPv6Address, Own] = MappingProxyType({})
    proxied: Mapping[IPv6Address, Proxied] = MappingProxyType({})
    known: Mapping[IPv6Address, Mac] = MappingProxyType({})
    kernel: Behaviour = CURRENT
    listed: bool = True
    proxied_listed: bool = True

    @property
    def anycast(self) -> Mapping[IPv6Address, tuple[Ref, ...]]:
        """The subnet-router anycast addresses that a router joins (``addrconf_join_anycast``)."""
        if not self.settings.forwarding:
            return {}
        return {
            own.network.network_address: own.refs
            for own in self.addresses.values()
            if self.speaks_as(own) and own.prefix_len < 127 and int(own.network.network_address)
        }

    def speaks_as(self, own: Own) -> bool:
        """Whether the station sends from the address of its own accord."""
        return not own.tentative or (own.optimistic and self.settings.use_optimistic)

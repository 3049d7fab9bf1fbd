"""What the IP layer of a namespace goes by: its addresses, routes, rules, neighbours, settings."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from hopback.datapath.bridge.state import NeighbourEntry
from hopback.datapath.ip.fib import Family, Table
from hopback.datapath.ip.local import Own
from hopback.datapath.ip.policy import USUAL, Policy
from hopback.datapath.ip.settings import Settings
from hopback.datapath.kernel import CURRENT, Behaviour
from hopback.datapath.skb import Ip
from hopback.network.facts import DevId, Ref

__all__ = ["Family", "Host", "Own", "VrfOf"]


class VrfOf(Struct, frozen=True):
    """The VRF device ``dev`` that a device belongs to, or is, and its table."""

    dev: str
    table: str
    refs: tuple[Ref, ...] = ()


class Host(Struct, frozen=True):
    """A namespace, as ``id`` without a device's name.

    ``families`` are those whose addresses and main routing table were listed. ``tables`` are those
    that were listed, and the table local; ``whole`` the families of which every table was.
    ``unsure``: policy rules of a listing that shows but some of them. ``settings`` stand by their
    keys after ``net.``. ``owns`` are the addresses in the order of their listing, ``addresses`` the
    same by address. ``own_locals``: somebody entered a local route of IPv4 that no
    address brings. ``router``: it has NAT or filters what it forwards, and so probably forwards.
    """

    id: DevId
    families: frozenset[Family] = frozenset()
    addresses: Mapping[Ip, Own] = MappingProxyType({})
    owns: tuple[Own, ...] = ()
    tables: Mapping[tuple[Family, str], Table] = MappingProxyType({})
    whole: frozenset[Family] = frozenset()
    policies: Mapping[Family, tuple[Policy, ...]] = MappingProxyType(USUAL)
    unsure: Mapping[Family, tuple[Ref, ...]] = MappingProxyType({})
    own_locals: bool = False
    vrfs: Mapping[str, VrfOf] = MappingProxyType({})
    neighbours: Mapping[tuple[str, Ip], NeighbourEntry] = MappingProxyType({})
    failed: Mapping[tuple[str, Ip], tuple[Ref, ...]] = MappingProxyType({})
    settings: Settings = MappingProxyType({})
    router: bool = False
    kernel: Behaviour = CURRENT

    def has(self, dev: str) -> bool:
        """Whether the device has an IPv4 address."""
        return any(own.dev == dev and own.at.version == 4 for own in self.addresses.values())

    def vrf(self, dev: str) -> str:
        """The VRF that a device belongs to or is; "" for none."""
        found = self.vrfs.get(dev)
        return found.dev if found else ""

    def table(self, family: Family, name: str) -> Table | None:
        """A routing table; None where nobody listed it.

        The table default is taken to be empty as it is everywhere, and so are those that a whole
        listing does not have.
        """
        found = self.tables.get((family, name))
        if found is None and (family in self.whole or name == "default"):
            return Table()
        return found

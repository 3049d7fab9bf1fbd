"""Which director hands packets to which, as the rows of all hosts tell: the edges of a ring.

What arrives has the virtual address (DR, and TUN after unwrapping), or with masquerading the
server's own; it goes on if the server is a director whose services take that (ip_vs_service_find).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from hopback.checks.directors import (
    Holder,
    Server,
    Service,
    Subnet,
    holders_of,
    services_of,
    subnets_of,
)
from hopback.checks.marks import Marking, markings_of, spared_by
from hopback.engines.roles import Seat, seats_of
from hopback.frames.mac import format_mac
from hopback.network.directing import Key
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.identifiers import canonical
from hopback.network.model import Network
from hopback.snapshot.rows import IpvsConnection

_SENT_ON = ("route", "tunnel", "masq")


class Handover(NamedTuple):
    """``service`` sends to ``server``, which is the namespace ``to``; ``taken`` by a service there.

    ``to`` is None where nobody knows whose address it is, ``taken`` where nothing there takes it.
    ``owner`` are the rows that tell whose it is, ``spared`` those by which its marks leave the
    packet alone. ``unsure``: what has to be so as well, and was not shown.
    """

    service: Service
    server: Server
    to: DevId | None
    owner: tuple[Ref, ...] = ()
    taken: Service | None = None
    spared: tuple[Ref, ...] = ()
    unsure: tuple[str, ...] = ()

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The rows that this rests on."""
        taken = (self.taken.ref,) if self.taken else ()
        return merge_refs((self.service.ref, self.server.ref), self.owner, taken)


class Directors:
    """All that the rows tell of directors, looked up once; ``followed`` is for who follows them."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.services = services_of(network)
        self.followed: dict[tuple[DevId, Key], object] = {}
        self._subnets: dict[tuple[DevId, int], Mapping[str, Subnet]] = {}
        self.holders: Mapping[str, tuple[Holder, ...]] = holders_of(network)

    @cached_property
    def _by_place(self) -> Mapping[DevId, tuple[Service, ...]]:
        found: dict[DevId, list[Service]] = defaultdict(list)
        for service in self.services:
            found[service.where].append(service)
        return {where: tuple(services) for where, services in found.items()}

    @cached_property
    def _by_server(self) -> Mapping[Ref, Sequence[Service]]:
        """One row may be a server of several services: those of a group of keepalived's."""
        found: dict[Ref, list[Service]] = defaultdict(list)
        for service in self.services:
            for server in service.servers:
                found[server.ref].append(service)
        return found

    @cached_property
    def _local(self) -> Mapping[str, tuple[DevId, tuple[Ref, ...]]]:
        """The servers that a table calls local."""
        return {
            server.address: (service.where, (server.ref,))
            for service in self.services
            for server in service.servers
            if server.method == "local"
        }

    @cached_property
    def joined(self) -> tuple[Service, ...]:
        """The services that send to a given host."""
        return tuple(s for s in self.services if any(h.to for h in self.handovers(s)))

    @cached_property
    def seats(self) -> tuple[Seat, ...]:
        """Who may be master of what."""
        return seats_of(self.network)

    def subnets(self, where: DevId, version: int) -> Mapping[str, Subnet]:
        """The subnets of a namespace by device."""
        if (where, version) not in self._subnets:
            self._subnets[where, version] = subnets_of(self.network, where, version)
        return self._subnets[where, version]

    def connections(self, service: Service) -> Sequence[IpvsConnection]:
        """The entries of the connection table that are for a service of an address."""
        protocol, _, address, port, _ = service.key
        return self._connections.get((service.where, protocol, address, port), ())

    @cached_property
    def _connections(self) -> Mapping[tuple[DevId, str, str, int], Sequence[IpvsConnection]]:
        found: dict[tuple[DevId, str, str, int], list[IpvsConnection]] = defaultdict(list)
        for host, snapshot in self.network.snapshots.items():
            for row in snapshot.ipvs_connections.rows:
                where = DevId(host, row.netns, "")
                found[where, row.protocol, canonical(row.virtual), row.virtual_port].append(row)
        return found

    @cached_property
    def markings(self) -> Mapping[str, tuple[Marking, ...]]:
        """The rules that set marks, by host."""
        return {host: markings_of(s) for host, s in self.network.snapshots.items()}

    def at(self, where: DevId) -> tuple[Service, ...]:
        """The services of a namespace."""
        return self._by_place.get(where, ())

    def owner(self, address: str) -> tuple[DevId, tuple[Ref, ...]] | None:
        """The one namespace that has the address, and the rows that say so.

        Besides its addresses, a table tells that in which a server is "local"; and a name that is
        shown instead of an address may be the host's.
        """
        held = self.holders.get(address, ())
        places = {holder.dev._replace(name="") for holder in held}
        if len(places) == 1:
            return places.pop(), (held[-1].ref,)
        if places:
            return None
        if address in self._local:
            return self._local[address]
        named = next((host for host in self.network.snapshots if host.lower() == address), None)
        return (DevId(named, "", ""), ()) if named else None

    def is_own(self, service: Service, server: Server) -> bool:
        """Whether the director itself is that server."""
        found = self.owner(server.address)
        return server.method == "local" or (found is not None and found[0] == service.where)

    def shows_services(self, where: DevId | None) -> bool:
        """Whether all services of a namespace were listed."""
        if where is None:
            return False
        return self.network.snapshots[where.host].ipvs_services.complete(where.netns)

    def rules_for(self, service: Service) -> tuple[Marking, ...]:
        """The rules of its host that set the mark of a service."""
        rules = self.markings[service.where.host]
        return tuple(
            m for m in rules if (m.mark, m.netns) == (service.row.mark, service.where.netns)
        )

    def handovers(self, service: Service) -> Iterator[Handover]:
        """One for each server to which packets are sent out of the host."""
        for server in service.servers:
            found = self.owner(server.address)
            if server.method not in _SENT_ON or (found and found[0] == service.where):
                continue
            if found is None:
                yield Handover(service, server, None)
            else:
                yield self._handover(service, server, *found)

    def sent_by(self, refs: Sequence[Ref]) -> Handover | None:
        """The hand-over that a packet took for which IPVS gives these rows."""
        for ref in refs:
            services = sorted(self._by_server.get(ref, ()), key=lambda s: s.ref not in refs)
            for handover in self.handovers(services[0]) if services else ():
                if handover.server.ref == ref:
                    return handover
        return None

    def _handover(
        self, service: Service, server: Server, to: DevId, owner: tuple[Ref, ...]
    ) -> Handover:
        plain = Handover(service, server, to, owner)
        for taken in self.at(to):
            answer = self._takes(service, server, taken)
            if answer is not None:
                return plain._replace(taken=taken, spared=answer[0], unsure=answer[1])
        return plain

    def _takes(
        self, service: Service, server: Server, taken: Service
    ) -> tuple[tuple[Ref, ...], tuple[str, ...]] | None:
        """Whether ``taken`` may take what ``service`` sends to ``server``: spared by, unsure of."""
        if taken.row.protocol == "fwmark":
            return self._marked(service, server, taken)
        protocol, family, address, port, mark = service.key
        if server.method == "masq":
            address, port = server.address, server.row.server_port
        elif mark:
            return self._unmarked(service, server, taken)
        same = taken.key[:3] == (protocol, family, address) and taken.row.port in (port, 0)
        return ((), ()) if same else None

    def _marked(
        self, service: Service, server: Server, taken: Service
    ) -> tuple[tuple[Ref, ...], tuple[str, ...]] | None:
        """Whether the peer's rules give the packet the mark of its service."""
        rules = self.rules_for(taken)
        if not rules:
            unshown = not self.network.snapshots[taken.where.host].filter_rules.extents
            same = service.row.mark == taken.row.mark and server.method != "masq"
            text = f"that {taken.where.host} marks what {service.where.host} sends it"
            return ((), (text,)) if unshown and same else None
        fitting = [m for m in rules if _fits(m, service, server)]
        if not fitting:
            return None
        if self.spares(spared_by(fitting), service.where):
            return tuple(m.ref for m in fitting), ()
        return (), ()

    def _unmarked(
        self, service: Service, server: Server, taken: Service
    ) -> tuple[tuple[Ref, ...], tuple[str, ...]] | None:
        """A service by address takes what a mark chose, if the mark was for that address."""
        for rule in self.rules_for(service):
            there = rule.targets is None or taken.key[2] in rule.targets
            if there and (rule.ports is None or taken.row.port in (*rule.ports, 0)):
                return (), ()
        return None

    def spares(self, senders: frozenset[str], where: DevId) -> bool:
        """Whether one of the senders is a host: by its MACs, or by what a script calls it."""
        devices = (d for id_, d in self.network.devices.items() if id_[:2] == where[:2])
        macs = {format_mac(d.mac.value) for d in devices if d.mac}
        if macs:
            return bool(senders & macs)
        others = {s.where.host.lower() for s in self.services} - {where.host.lower()}
        named = {s for s in senders if where.host and where.host.lower() in s.lower()}
        strangers = {s for s in senders if not any(o and o in s.lower() for o in others)}
        return bool(named or (strangers and len(others) <= 1))


def _fits(marking: Marking, service: Service, server: Server) -> bool:
    """Whether the rule may be about the packet as it arrives at the server."""
    protocol, _, address, port, mark = service.key
    if server.method == "masq":
        address, port, mark = server.address, server.row.server_port, 0
    if mark:
        return True
    wanted = (
        marking.targets is None or canonical(address) in marking.targets,
        marking.protocol in (None, protocol),
        marking.ports is None or port in (*marking.ports, 0),
    )
    return all(wanted)


def rings(directors: Directors) -> tuple[tuple[Handover, ...], ...]:
    """Every ring of hand-overs in which no director stands twice, once, whatever its weights."""
    found: dict[frozenset[tuple[DevId, str]], tuple[Handover, ...]] = {}
    for service in directors.services:
        for ring in _from(directors, service, ()):
            members = frozenset((h.service.where, h.service.title) for h in ring)
            found.setdefault(members, ring)
    return tuple(found.values())


_RING_MAX = 8


def _from(
    directors: Directors, service: Service, way: tuple[Handover, ...]
) -> Iterator[tuple[Handover, ...]]:
    if len(way) >= _RING_MAX:
        return
    for handover in directors.handovers(service):
        longer = (*way, handover)
        if handover.taken is None:
            continue
        if handover.taken == longer[0].service:
            yield longer
        elif all(h.service.where != handover.taken.where for h in longer):
            yield from _from(directors, handover.taken, longer)

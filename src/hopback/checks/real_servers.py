"""Real servers whose hosts were given, and the virtual addresses that they have to take."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.checks.clients import Asked, Ip, asked_of
from hopback.checks.directors import Server, Service
from hopback.network.facts import DevId, Ref, merge_refs


class RealServer(NamedTuple):
    """``server`` of ``service`` is the namespace ``where``; clients ask it for ``asked``.

    ``owner`` are the rows that tell whose address it is.
    """

    service: Service
    server: Server
    where: DevId
    asked: Asked
    owner: tuple[Ref, ...]

    @property
    def by(self) -> Ip | None:
        """The address to which the director sends."""
        try:
            return ip_address(self.server.address)
        except ValueError:
            return None

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The rows that make it a real server."""
        return merge_refs((self.service.ref, self.server.ref), self.owner)


def taking_virtual(case: Case) -> Iterator[RealServer]:
    """Those that get packets with the virtual address (DR, TUN), each address once."""
    told: set[tuple[DevId, Ip]] = set()
    for service in case.directors.services:
        for handover in case.directors.handovers(service):
            if handover.to is None or handover.server.method not in ("route", "tunnel"):
                continue
            for asked in asked_of(case.directors, service):
                if (handover.to, asked.address) not in told:
                    told.add((handover.to, asked.address))
                    yield RealServer(service, handover.server, handover.to, asked, handover.owner)

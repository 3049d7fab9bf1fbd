"""Directors of which only one side was shown: what keeps them out of a ring, or may close one."""

from collections.abc import Iterator

from hopback.checks.directors import Service
from hopback.checks.handovers import Directors, Handover
from hopback.checks.marks import Marking, spared_by


def halves(directors: Directors) -> Iterator[Handover]:
    """Directors that are real servers of their own service: the other servers may be such too."""
    for service in directors.services:
        if not any(directors.is_own(service, server) for server in service.servers):
            continue
        for handover in directors.handovers(service):
            sends = handover.server.method != "masq" and handover.server.row.weight != 0
            if sends and not directors.shows_services(handover.to):
                yield handover


def guards(directors: Directors) -> Iterator[tuple[Service, tuple[Marking, ...]]]:
    """Services of a mark whose rules leave out as many senders as there may be other directors."""
    for service in directors.services:
        if service.row.protocol == "fwmark":
            rules = directors.rules_for(service)
            others = max(len(service.servers) - 1, 1)
            if len(spared_by(rules)) >= others:
                yield service, rules

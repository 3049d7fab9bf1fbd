"""Directors of which only one side was shown: what keeps them out of a ring, or may close one."""

from collections import defaultdict
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


def useless_guards(directors: Directors) -> Iterator[tuple[str, tuple[Marking, ...]]]:
    """Rules for one mark and the same packets that each leave out another sender: together none.

    Only where no service of that mark is known, which would say more.
    """
    known = {(s.where.host, s.row.mark) for s in directors.services}
    for host, markings in directors.markings.items():
        alike: dict[tuple[object, ...], list[Marking]] = defaultdict(list)
        for rule in markings:
            if rule.spares and (host, rule.mark) not in known:
                alike[rule[:5]].append(rule)
        for rules in alike.values():
            if len(rules) > 1 and not spared_by(rules):
                yield host, tuple(rules)

"""Directors of which only one side was shown: what keeps them out of a ring, or may close one."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from hopback.checks.directors import Service
from hopback.checks.handovers import Directors, Handover
from hopback.checks.marks import Marking, spared_by
from hopback.checks.words import named
from hopback.network.facts import Ref
from hopback.network.identifiers import canonical
from hopback.network.model import Network


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


def foreign_addresses(network: Network, ring: Sequence[Handover]) -> list[str]:
    """What else it takes where a next director was not shown to have the virtual address.

    IPVS sees only what is for the host itself, and a backup may have the address nowhere.
    """
    found: list[str] = []
    for handover in ring:
        _, family, address, _, mark = handover.service.key
        if (
            handover.to is None
            or handover.taken is None
            or handover.server.method == "masq"
            or mark
        ):
            continue
        rows = network.snapshots[handover.to.host].addresses.rows
        own = {canonical(r.address) for r in rows if r.netns == handover.to.netns}
        shown = any((":" in known) == (family == 6) for known in own)
        if address not in own and (shown or handover.taken.row.configured):
            found.append(f"that {named(handover.to.host)} has {address} as an address of its own")
    return found


def own_addresses(directors: Directors, ring: Sequence[Handover]) -> tuple[Ref, ...]:
    """The rows by which the next directors have the virtual address."""
    return tuple(
        holder.ref
        for handover in ring
        if handover.taken is not None and handover.server.method != "masq"
        for holder in directors.holders.get(handover.service.key[2], ())
        if holder.dev[:2] == handover.taken.where[:2]
    )


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

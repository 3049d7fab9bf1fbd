"""Is a ring of directors gone with a remedy, and is every client answered that was before?

The snapshot is changed as the remedy changes its host. No packet of a client for the service may go
round any more, in no role that VRRP may give; and what clients got an answer to before they have to
get one to again.
"""

from collections.abc import Mapping
from functools import cached_property
from itertools import islice

from msgspec.structs import replace

from hopback.checks.case import Case
from hopback.checks.directors import Service
from hopback.checks.ring_roles import RoleCases
from hopback.checks.ring_trace import follow
from hopback.checks.ring_words import while_masters
from hopback.checks.words import named
from hopback.datapath.rules import RULES
from hopback.findings import Fix
from hopback.remedies.ipvs_ring import Directed

_OTHERS_MAX = 24
"""Other services that are followed; with more of them nothing is proved."""

_Ends = Mapping[str, tuple[str, str]]
"""How packets end, each with the host where, and why."""


class Trial:
    """A ring, and what becomes of clients' packets as the tables are."""

    def __init__(self, case: Case, ring: Directed) -> None:
        self._case = case
        self._ring = ring
        self._keys = {handover.service.key for handover in ring.ring}

    def judged(self, fix: Fix, after: Case) -> Fix:
        """The fix: proved, rejected with the reason, or neither where it cannot be told."""
        if self._ring.cycle is None:
            return fix  # told by rows alone: no packet could be followed before either
        kept: list[str] = []
        whole = len(self._others) <= _OTHERS_MAX
        for service, ended in self._before:
            now = _ends(after, service)
            if "cycle" in now and (service.key in self._keys or "cycle" not in ended):
                return replace(fix, rejected_because=f"packets for {_title(service)} go round")
            lost = None if service.key in self._keys else _lost(ended, now)
            if lost is not None:
                return replace(fix, rejected_because=f"{_title(service)} is lost: {lost}")
            whole = whole and not now.keys() & {"blind", "budget"}
            if "answered" in now:
                kept.append(f"{_title(service)}: answered by {named(now['answered'][0])}")
        turned = self._in_other_roles(after)
        if turned is not None:
            return replace(fix, limits=f"{turned} it still goes round. {fix.limits}")
        return replace(fix, proved=True, keeps=tuple(kept)) if whole else fix

    @cached_property
    def _others(self) -> list[Service]:
        return [s for s in self._case.directors.services if s.key not in self._keys]

    @cached_property
    def _before(self) -> list[tuple[Service, _Ends]]:
        """The ring's own services on all hosts, then some of the others."""
        own = [s for s in self._case.directors.services if s.key in self._keys]
        tried = [*own, *islice(self._others, _OTHERS_MAX)]
        return [(service, _ends(self._case, service)) for service in tried]

    def _in_other_roles(self, after: Case) -> str | None:
        """The roles in which it goes round all the same, in words."""
        roles = RoleCases(after)
        for service in after.directors.services:
            other = roles.first(service) if service.key in self._keys else None
            if other is not None:
                return while_masters(other.roles.hosts)
        return None


def _title(service: Service) -> str:
    return f"{service.title} at {named(service.where.host)}"


def _ends(case: Case, service: Service) -> _Ends:
    """How a client's packets end that come to where ``service`` is, whether or not it still is.

    Nothing where the addresses or routes are not known.
    """
    found: dict[str, tuple[str, str]] = {}
    followed = follow(case, service)
    for journey, end in followed.ends if followed else ():
        dev = end.dev or journey.hops[end.hop].place.dev
        fate = "answered" if end.fate in ("delivered", "left") else end.fate
        found.setdefault(fate, (dev.host, RULES[end.why.rule].text))
    return found


def _lost(before: _Ends, after: _Ends) -> str | None:
    """Why clients that were answered no longer are, or not always."""
    if "answered" not in before or "lost" not in after:
        return None
    return after["lost"][1] if "lost" not in before or "answered" not in after else None

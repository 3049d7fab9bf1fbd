"""In which roles of VRRP a packet for a service goes round."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.checks.directors import Service
from hopback.checks.ring_trace import Cycle, follow
from hopback.engines.roles import Roles, role_worlds
from hopback.network.build import build


class InRole(NamedTuple):
    """A cycle, the roles that it takes, and the case in which it is so."""

    cycle: Cycle
    roles: Roles
    case: Case


class RoleCases:
    """The same diagnosis with every other combination of roles; made when first asked for."""

    def __init__(self, case: Case) -> None:
        self._case = case

    @property
    def recorded(self) -> tuple[str, ...]:
        """The hosts that were master when the tables were read."""
        seats = self._case.directors.seats
        return tuple(dict.fromkeys(seat.dev.host for seat in seats if seat.master))

    @cached_property
    def _others(self) -> Sequence[tuple[Roles, Case]]:
        worlds = role_worlds(self._case.network)
        found = [(roles, Case(build(roles.snapshots))) for roles in worlds]
        return sorted(found, key=lambda entry: len(entry[0].hosts))

    def first(self, service: Service) -> InRole | None:
        """The cycle with the fewest masters among the combinations that were not recorded."""
        for roles, case in self._others:
            same = next((s for s in case.directors.services if s.id == service.id), None)
            found = follow(case, same) if same else None
            if found is not None and found.cycle is not None:
                return InRole(found.cycle, roles, case)
        return None

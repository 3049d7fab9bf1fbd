"""Duplicate detection, neighbour discovery and ARP of stations."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from hopback.datapath.rules import RULES
from tests.fidelity.area import Prediction, Result
from tests.fidelity.areas import arp_cells
from tests.fidelity.areas.arp_cells import ArpCase
from tests.fidelity.areas.dad_cells import RARE, DadCase, every_cell, random_case, smaller_case
from tests.fidelity.areas.dad_model import ModelStation
from tests.fidelity.mutants import Mutation
from tests.kernel.arp_rig import KernelArpHost
from tests.kernel.dad_config import station_name
from tests.kernel.dad_rig import KernelStations
from tests.kernel.refusal import refusal

_FIRST = 5

AnyCase = DadCase | ArpCase


def _some() -> Iterator[AnyCase]:
    """With these even a short run reaches every rule."""
    yield RARE
    yield from arp_cells.RARE
    chance = Random(1)
    for _ in range(_FIRST):
        yield random_case(chance)
        yield arp_cells.random_case(chance)


class DadArea:
    """Taps whose other ends we hold: each is a segment with one station."""

    name = "dad"
    rules = frozenset(name for name, rule in RULES.items() if rule.area == "dad")
    enumerated: Sequence[AnyCase] = (*_some(), *every_cell(), *arp_cells.every_cell())
    not_covered = (
        "temporary addresses, tokens, and what an advertisement does beside addresses",
        "anycast and proxies on a VRF's devices; devices without ARP",
        "repeated router solicitations, MLD reports, the neighbour table's timers",
        "a unicast question without the asker's MAC",
    )

    def refusal(self) -> str | None:
        if reason := refusal():
            return reason
        settings = Path("/proc/sys/net/ipv6/conf/all")
        return None if settings.exists() else "no IPv6"

    def generate(self, chance: Random) -> AnyCase:
        return random_case(chance) if chance.random() < 0.5 else arp_cells.random_case(chance)

    def smaller(self, case: AnyCase) -> Iterator[AnyCase]:
        if isinstance(case, ArpCase):
            return arp_cells.smaller_case(case)
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[AnyCase], Result]]:
        with KernelStations() as rig, KernelArpHost() as host:

            def run(case: AnyCase) -> Result:
                if isinstance(case, ArpCase):
                    return Result(host.play(case.everybody, case.own, case.questions))
                told = rig.play(case.everybody, case.stations)
                return Result(
                    {station_name(i): t.sent for i, t in enumerate(told)},
                    table={station_name(i): t.addresses for i, t in enumerate(told)},
                )

            yield run

    def model(self, case: AnyCase, mutation: Mutation) -> Prediction:
        if isinstance(case, ArpCase):
            return arp_cells.predicted(case, mutation)
        stations = [
            ModelStation(index, case.everybody, config, mutation)
            for index, config in enumerate(case.stations)
        ]
        for station in stations:
            station.run()
        result = Result(
            {station_name(s.index): tuple(s.sent) for s in stations},
            table={station_name(s.index): s.addresses() for s in stations},
        )
        return Prediction(result, frozenset().union(*(s.fired for s in stations)))


AREA = DadArea()

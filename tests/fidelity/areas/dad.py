"""Duplicate detection, neighbour discovery and ARP of stations."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from hopback.datapath.rules import RULES
from tests.fidelity.area import Prediction, Result
from tests.fidelity.areas.dad_cells import DadCase, every_cell, random_case, smaller_case
from tests.fidelity.areas.dad_model import ModelStation
from tests.fidelity.mutants import Mutation
from tests.kernel.dad_rig import KernelStations, station_name
from tests.kernel.refusal import refusal


class DadArea:
    """Taps whose other ends we hold: each is a segment with one station."""

    name = "dad"
    rules = frozenset(name for name, rule in RULES.items() if rule.area == "dad")
    enumerated: Sequence[DadCase] = tuple(every_cell())
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

    def generate(self, chance: Random) -> DadCase:
        return random_case(chance)

    def smaller(self, case: DadCase) -> Iterator[DadCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[DadCase], Result]]:
        with KernelStations() as rig:

            def run(case: DadCase) -> Result:
                told = rig.play(case.everybody, case.stations)
                return Result(
                    {station_name(i): t.sent for i, t in enumerate(told)},
                    table={station_name(i): t.addresses for i, t in enumerate(told)},
                )

            yield run

    def model(self, case: DadCase, mutation: Mutation) -> Prediction:
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

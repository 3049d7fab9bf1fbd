"""The legacy tables of ebtables on a bridge of taps."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random

from msgspec.structs import replace as changed

from hopback.datapath.netfilter.hooks import Netfilter
from hopback.datapath.netfilter.ruleset import Ruleset
from tests.build import dev, listing, model
from tests.fidelity.area import Prediction, Result
from tests.fidelity.areas.ebtables_rules import Table
from tests.fidelity.areas.ip import OWN
from tests.fidelity.areas.netfilter import ENTRIES, bridge_state
from tests.fidelity.areas.netfilter_calls import Calls
from tests.fidelity.areas.netfilter_cases import PORTS_COUNT, random_frames
from tests.fidelity.mutants import Mutation
from tests.fidelity.shrink import changed_at, fewer
from tests.fidelity.taps import observed, predicted
from tests.kernel.bridge_rig import PortConfig
from tests.kernel.filter_rig import filter_refusal
from tests.kernel.netfilter_rig import EBTABLES, FilteredBridge, ebtables_listing


@dataclass(frozen=True)
class EbtablesCase:
    """Tables as their lines, and the frames of a bridge."""

    tables: tuple[tuple[str, ...], ...]
    frames: tuple[tuple[int | None, bytes], ...] = ()
    hairpin: bool = False

    @property
    def script(self) -> str:
        """What ebtables-legacy-restore is given."""
        return "".join(f"{line}\n" for table in self.tables for line in table)


def _marked() -> EbtablesCase:
    """Of two frames the one that was marked on its way in is dropped on its way on."""
    nat = ("*nat", ":PREROUTING ACCEPT", ":OUTPUT ACCEPT", ":POSTROUTING ACCEPT")
    mark = "-A PREROUTING -i lp0 -j mark --mark-set 0x1 --mark-target ACCEPT"
    own = ("*filter", ":INPUT ACCEPT", ":FORWARD ACCEPT", ":OUTPUT ACCEPT")
    drop = "-A FORWARD --mark 0x1 -j DROP"
    frames = tuple(
        (port, bytes(5) + b"\x09\2" + bytes((*[0] * 5, 8, 0xB5, port))) for port in (0, 1)
    )
    return EbtablesCase(((*nat, mark), (*own, drop)), frames)


class EbtablesArea:
    """One bridge for all cases."""

    name = "ebtables"
    rules = frozenset({"filter-drop", "filter-policy", "filter-marks", "filter-rewrites"})
    enumerated: Sequence[EbtablesCase] = (_marked(),)
    not_covered = (
        "the table broute; dnat and redirect, which change for whom a frame is",
        "packets that are cut or contradict their own length",
    )

    def refusal(self) -> str | None:
        return filter_refusal(brouting=True)

    def generate(self, chance: Random) -> EbtablesCase:
        names = chance.sample(tuple(EBTABLES), chance.choice((1, 2)))
        tables = tuple(Table(chance, name, PORTS_COUNT).lines() for name in names)
        return EbtablesCase(tables, random_frames(chance, whole=True), chance.random() < 0.3)

    def smaller(self, case: EbtablesCase) -> Iterator[EbtablesCase]:
        for tables in fewer(case.tables):
            yield replace(case, tables=tables)
        for at, lines in enumerate(case.tables):
            for number, line in enumerate(lines):
                if line.startswith("-A"):
                    kept = lines[:number] + lines[number + 1 :]
                    yield replace(case, tables=changed_at(case.tables, at, kept))
        for frames in fewer(case.frames):
            yield replace(case, frames=frames)
        if case.hairpin:
            yield replace(case, hairpin=False)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[EbtablesCase], Result]]:
        with FilteredBridge(PORTS_COUNT) as bridge:

            def run(case: EbtablesCase) -> Result:
                bridge.ebtables(case.script)
                bridge.configure([PortConfig(hairpin=case.hairpin)] * PORTS_COUNT, ENTRIES)
                return observed(bridge, case.frames)

            yield run

    def model(self, case: EbtablesCase, mutation: Mutation) -> Prediction:
        listed = ebtables_listing(case.script)
        text = "".join(
            listing(f"ebtables-legacy -t {table} -L", shown.splitlines())
            for table, shown in listed.items()
        )
        filters = model(text).netfilter.get(OWN) or Netfilter(Ruleset(dev("")))
        calls = Calls(filters.rules, mutation)
        asking = changed(filters, ask=calls.outcome)
        found = predicted(bridge_state(hairpin=case.hairpin), case.frames, mutation, asking)
        return Prediction(found.result, found.fired | calls.fired)


AREA = EbtablesArea()

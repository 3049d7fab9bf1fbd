"""The legacy tables of iptables and ip6tables, in a namespace that bridges and routes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random

from msgspec.structs import replace as changed

from tests.build import listing, model
from tests.fidelity.area import Prediction, Result
from tests.fidelity.areas.ip import OWN, described
from tests.fidelity.areas.netfilter_calls import Calls
from tests.fidelity.areas.netfilter_cases import random_inputs, setup_of, without
from tests.fidelity.areas.netfilter_frames import Input
from tests.fidelity.areas.netfilter_script import answerable, through, walked
from tests.fidelity.areas.xtables_rules import Table
from tests.fidelity.mutants import Mutation, faithful
from tests.fidelity.shrink import changed_at, fewer
from tests.kernel.netfilter_rig import FilteredRouter, xtables_listing
from tests.kernel.nftables import has_library
from tests.kernel.router_rig import Setup, router_refusal

_TOOLS = ("iptables", "ip6tables")
_TABLES = ("raw", "mangle", "nat", "filter")


@dataclass(frozen=True)
class XtablesCase:
    """Tables by tool, each as its lines; a router and what it gets as in ``NetfilterCase``."""

    tables: tuple[tuple[str, tuple[str, ...]], ...]
    routed: tuple[Input, ...] = ()
    hairpin: bool = False
    calls: bool = False

    @property
    def frames(self) -> Sequence[object]:
        return self.routed

    @property
    def setup(self) -> Setup:
        """Of the router."""
        return setup_of(hairpin=self.hairpin, calls=self.calls)

    def script(self, tool: str) -> str:
        """What ``tool``-restore is given."""
        lines = [line for name, table in self.tables if name == tool for line in (*table, "COMMIT")]
        return "\n".join((*lines, ""))


class XtablesArea:
    """One router for all cases."""

    name = "xtables"
    rules = frozenset(
        {"filter-drop", "filter-policy", "filter-reject", "filter-marks", "filter-rewrites"}
        | {"nat-source", "nat-target"}
    )
    enumerated: Sequence[XtablesCase] = ()
    not_covered = (
        "what the host itself sends, and fragments",
        "matches on rates, sockets, routes, time; ipset",
    )

    def refusal(self) -> str | None:
        return router_refusal() or (None if has_library() else "needs libnftables")

    def generate(self, chance: Random) -> XtablesCase:
        tables = tuple(
            (tool, Table(chance, name, six=tool == "ip6tables").lines())
            for tool in _TOOLS
            for name in _TABLES
            if chance.random() < 0.45
        )
        hairpin, calls = chance.random() < 0.3, chance.random() < 0.7
        case = XtablesCase(tables, random_inputs(chance), hairpin, calls)
        found = self.model(case, faithful)
        return replace(case, routed=answerable(case.routed, found))

    def smaller(self, case: XtablesCase) -> Iterator[XtablesCase]:
        for tables in fewer(case.tables):
            yield replace(case, tables=tables)
        for at, (tool, lines) in enumerate(case.tables):
            for number, line in enumerate(lines):
                if line.startswith("-A"):
                    kept = lines[:number] + lines[number + 1 :]
                    yield replace(case, tables=changed_at(case.tables, at, (tool, kept)))
        for number in range(len(case.routed)):
            yield replace(case, routed=without(case.routed, number))
        if case.hairpin:
            yield replace(case, hairpin=False)
        if case.calls:
            yield replace(case, calls=False)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[XtablesCase], Result]]:
        with FilteredRouter() as router:

            def run(case: XtablesCase) -> Result:
                for tool in _TOOLS:
                    router.restore(tool, case.script(tool))
                router.load("", case.setup)
                return through(router, case.routed)

            yield run

    def model(self, case: XtablesCase, mutation: Mutation) -> Prediction:
        saved = (
            listing(f"{tool}-legacy-save", xtables_listing(tool, case.script(tool)).splitlines())
            for tool in _TOOLS
        )
        found = model(described(case.setup) + "".join(saved))
        filters = found.netfilter[OWN]
        calls = Calls(filters.rules, mutation)
        asking = changed(filters, ask=calls.outcome)
        return walked(case.routed, changed(found, netfilter={OWN: asking}), calls, mutation)


AREA = XtablesArea()

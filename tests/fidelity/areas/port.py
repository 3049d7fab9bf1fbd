"""What a bridge does for few ports alone: MAB, backup ports, MTUs; and a promiscuous bridge."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

from msgspec.structs import replace as changed

from hopback.datapath.bridge.state import BridgeState
from hopback.datapath.bridge.state import PortConfig as ModelPort
from hopback.datapath.rules import RULES
from hopback.frames.mac import Mac
from tests.fidelity.area import Prediction, Result
from tests.fidelity.areas.bridge import state_of
from tests.fidelity.areas.port_cases import PortCase, random_case, smaller_case
from tests.fidelity.mutants import Mutation
from tests.fidelity.taps import KERNEL, PORTS, observed, played
from tests.kernel.port_rig import FullPort, PortBridge
from tests.kernel.refusal import refusal

_ABSENT = frozenset() if KERNEL.mab else frozenset({"mab"})


class PortArea:
    """The bridge's taps and frames; one bridge for each number of ports and what is for life."""

    name = "port"
    rules = frozenset(name for name, rule in RULES.items() if rule.area == "port") - _ABSENT
    enumerated: Sequence[PortCase] = ()
    not_covered = (
        "a frame above the MTU that is a GSO packet, which passes",
        "frames of the host whose tag a raw socket wrote: there it counts as part of the size",
        "a carrier that comes or goes within a case; more than one port without",
        "a backup next-hop, and a backup that is no port of the same bridge",
        "the authorisation itself: nobody takes the lock off an entry",
    )

    def refusal(self) -> str | None:
        return refusal()

    def generate(self, chance: Random) -> PortCase:
        return random_case(chance)

    def smaller(self, case: PortCase) -> Iterator[PortCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[PortCase], Result]]:
        with ExitStack() as undo:

            @cache
            def bridge(count: int, cut: bool, promisc: bool) -> PortBridge:
                return undo.enter_context(PortBridge(count, cut=cut, promisc=promisc))

            def run(case: PortCase) -> Result:
                made = bridge(len(case.ports), case.cut, case.promisc)
                made.fill(case.ports, case.entries, case.settings)
                return _with_waiting(observed(made, case.frames), made.waiting())

            yield run

    def model(self, case: PortCase, mutation: Mutation) -> Prediction:
        run = played(_state(case), case.frames, mutation)
        result, fired = run.prediction()
        waiting = {mac: entry.locked for (mac, _), entry in run.state.fdb.items()}
        return Prediction(_with_waiting(result, waiting), fired)


AREA = PortArea()


def _with_waiting(result: Result, waiting: Mapping[Mac, bool]) -> Result:
    """The table also says which of its stations wait for their authorisation."""
    table: Mapping[Any, Any] = {
        key: (*entry, waiting[key[0]]) for key, entry in result.table.items()
    }
    return replace(result, table=table)


def _state(case: PortCase) -> BridgeState:
    state = state_of(case)
    full = zip(state.ports.values(), case.ports, strict=True)
    ports = [_port(case, index, *pair) for index, pair in enumerate(full)]
    return changed(
        state, ports={port.id: port for port in ports}, promisc=() if case.promisc else None
    )


def _port(case: PortCase, index: int, plain: ModelPort, full: FullPort) -> ModelPort:
    return changed(
        plain,
        mab=full.mab,
        mtu=full.mtu,
        backup=PORTS[(index + 1) % len(case.ports)] if full.backup else None,
        carrier=not (case.cut and index == 0),
    )

"""What a check is given: the resolved network, its model, and the means to cite."""

from collections.abc import Iterable
from functools import cached_property

from hopback.checks.handovers import Directors
from hopback.checks.unclear import unclear_filters
from hopback.datapath.model import Model, model_of
from hopback.datapath.netfilter.unclear import Unclear
from hopback.engines.circles import Circles, circles
from hopback.findings import Evidence, Finding, Step
from hopback.network.facts import DevId, Ref
from hopback.network.identifiers import canonical
from hopback.network.model import BridgeView, Network, Port, Station
from hopback.snapshot.quote import quote


class Case:
    """One diagnosis: ``network`` to look at, ``found`` what earlier checks concluded."""

    def __init__(self, network: Network, found: tuple[Finding, ...] = ()) -> None:
        self.network = network
        self.found = found

    @cached_property
    def model(self) -> Model:
        """The datapath model of the tables as recorded last."""
        return model_of(self.network)

    @cached_property
    def unclear_filters(self) -> tuple[tuple[DevId, Unclear], ...]:
        """The packet filters that cannot be evaluated, each with its namespace."""
        return unclear_filters(self.network)

    def unclear_on(self, port: DevId) -> Unclear | None:
        """One that the frames of ``port`` may meet."""
        return next(
            (
                found
                for where, found in self.unclear_filters
                if where[:2] == port[:2] and found.touches(port.name)
            ),
            None,
        )

    @cached_property
    def directors(self) -> Directors:
        """What the rows tell of IPVS."""
        return Directors(self.network)

    @cached_property
    def captured(self) -> frozenset[str]:
        """The destinations of all packets that were captured."""
        snapshots = self.network.snapshots.values()
        targets = (row.target for snapshot in snapshots for row in snapshot.sightings.rows)
        return frozenset(canonical(target) for target in targets if target)

    @cached_property
    def tunnels(self) -> bool:
        """Whether there is any VXLAN device: a model of a big table need not be made for none."""
        devices = self.network.devices.values()
        listed = any(s.vxlans.rows for s in self.network.snapshots.values())
        return listed or any(d.kind is not None and d.kind.value == "vxlan" for d in devices)

    @cached_property
    def circles(self) -> Circles:
        """The packets that routers pass round; where one without VRFs alone has routes, none."""
        routed = {
            (host, extent.netns)
            for host, snapshot in self.network.snapshots.items()
            for extent in snapshot.routes.extents
        }
        vrfs = any(snapshot.vrfs.rows for snapshot in self.network.snapshots.values())
        return circles(self.model) if len(routed) > 1 or vrfs else Circles(())

    @property
    def wraps(self) -> bool:
        """Whether there is any tunnel: a model of big tables need not be made for none."""
        return self.tunnels or any(s.tunnels.rows for s in self.network.snapshots.values())

    def with_found(self, found: tuple[Finding, ...]) -> "Case":
        """The same case for a later check, which may explain what was found so far."""
        case = Case(self.network, found)
        for known in ("model", "unclear_filters", "directors", "circles"):
            if known in self.__dict__:
                case.__dict__[known] = self.__dict__[known]
        return case

    def of(self, check: str) -> tuple[Finding, ...]:
        """The findings of an earlier check."""
        return tuple(f for f in self.found if f.check == check)

    def evidence(self, rule: str, refs: Iterable[Ref]) -> tuple[Evidence, ...]:
        """The cited rows as evidence under ``rule``."""
        return tuple(self._quoted(rule, ref) for ref in dict.fromkeys(refs))

    def _quoted(self, rule: str, ref: Ref) -> Evidence:
        snapshot = self.network.snapshots[ref.host]
        source = snapshot.sources[ref.cite.source]
        text = quote(snapshot, ref.cite)
        return Evidence(rule, source.name, ref.cite.line, text, ref.host, ref.cite.item)


def title(port: Port) -> str:
    """How to call a port in a sentence: its name, its number, or both."""
    if not port.named or port.number is None:
        return port.id.name
    return f"{port.id.name} (port {port.number.value})"


def path_steps(hops: Iterable[tuple[DevId, str, str, str]]) -> tuple[Step, ...]:
    """Steps from (device, way, frame, why)."""
    return tuple(
        Step(dev.host, dev.name, "in" if way == "in" else "out", frame, why)
        for dev, way, frame, why in hops
    )


def evidence_of(finding: Finding, *rules: str) -> tuple[Evidence, ...]:
    """The evidence of ``finding`` that stands under one of ``rules`` (all of it, if none given)."""
    return tuple(e for e in finding.because if not rules or e.rule in rules)


__all__ = ["BridgeView", "Case", "Station", "evidence_of", "path_steps", "title"]

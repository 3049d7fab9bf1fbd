"""The plan: the steps in their order, what is watched, and the scenes one after the other."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from hopback.datapath.model import Model
from hopback.engines.dhcp import Exchange
from hopback.engines.probe import Probe
from hopback.lab import duplicates, floating
from hopback.lab.cure import Cure
from hopback.lab.devices import (
    GUEST,
    GUEST_DEVICE,
    HOST,
    bridge_steps,
    far_space,
    forget_steps,
    opening_steps,
    state_steps,
    table_steps,
    vlan_steps,
)
from hopback.lab.neighbours import Neighbour
from hopback.lab.predict import vlan_of
from hopback.lab.scenes import (
    FIXED,
    LIVE,
    Cast,
    fixed_name,
    host_scene,
    probe_scenes,
    recorded_name,
    recorded_scenes,
    server_mac,
    story,
)
from hopback.lab.segment import Segment, Wire
from hopback.lab.stacks import Stacks
from hopback.lab.steps import Plan, Scene, Spot, Step
from hopback.lab.uplink import awaited

# With a blank: no device is called so.
GUEST_SPOT = "the guest"
SERVER_SPOT = "the server"


class Staged(Struct, frozen=True):
    """What a plan is made of."""

    model: Model
    segment: Segment
    exchange: Exchange
    probes: tuple[Probe, ...]
    outside: Mapping[str, Neighbour]
    filters: tuple[Step, ...]
    stacks: Stacks
    cure: Cure | None


def plan_of(staged: Staged) -> Plan:
    """The plan that builds it and plays every scene."""
    segment, model = staged.segment, staged.model
    state = model.bridges[segment.bridge.id]
    devices = model.network.devices
    macs = {id_: device.mac.value for id_, device in devices.items() if device.mac}
    spaces = [HOST, *(far_space(w, segment) for w in segment.wires)]
    neighbours = staged.outside.values()
    stage = _Stage(staged)
    return Plan(
        spaces=(*spaces, *(space for n in neighbours for space in n.spaces)),
        steps=(
            *bridge_steps(segment, macs),
            *vlan_steps(segment, state),
            *staged.filters,
            *(step for n in neighbours for step in n.steps),
        ),
        late=(*(s for n in neighbours for s in n.late), *stage.table, *state_steps(segment)),
        bonds=tuple(awaited(bond, HOST) for bond in model.bonds.values()),
        spots=stage.spots,
        scenes=(*stage.recorded(), *stage.lived(), *stage.fixed()),
        bridges=((HOST, segment.name),),
    )


class _Stage:
    """Who plays where, and how each scene begins."""

    def __init__(self, staged: Staged) -> None:
        self._staged = staged
        segment = staged.segment
        server = staged.exchange.server
        beyond = next((w for w in segment.ways_out if w.port.id == server.dev), None)
        self.spots, self._cast = _spots(segment, beyond, staged.outside)
        self.table = tuple(table_steps(segment, staged.model.bridges[segment.bridge.id]))
        self._reset = _Reset(segment, staged.exchange, vlan_of(staged.model, segment.station))
        outside = staged.outside.values()
        self._stir = tuple(step for n in outside for step in n.stir)
        self._calm = tuple(step for n in outside for step in n.calm)

    def recorded(self) -> Iterator[Scene]:
        """By the recorded tables: the guest's probes, its stack's own, and each message."""
        before = self._reset.to(self.table)
        yield from probe_scenes(self._staged.probes, self._cast, before, recorded_name)
        yield from self._by_itself(duplicates.DETECTION, floating.REACHING, before)
        yield from recorded_scenes(self._staged.exchange, self._cast, before)

    def lived(self) -> Iterator[Scene]:
        """The host speaks, then the guest asks for a lease."""
        mac, name = self._staged.segment.mac, self._staged.segment.name
        before = (*self._reset.to(), *self._stir)
        if mac is not None:
            yield host_scene(mac, name, before, self._calm)
        yield story(LIVE, self._staged.exchange, self._cast, before, self._calm)

    def fixed(self) -> Iterator[Scene]:
        """The guest's probes and the story, with the remedy in place."""
        cure = self._staged.cure
        if cure is None:
            return
        before = (*self._reset.to(self.table), *cure.steps)
        yield from probe_scenes(self._staged.probes, self._cast, before, fixed_name)
        yield from self._by_itself(duplicates.FIXED_DETECTION, floating.FIXED_REACHING, before)
        pinned = (*self._reset.to(cure.steps), *self._stir)
        yield story(FIXED, self._staged.exchange, self._cast, pinned, self._calm)

    def _by_itself(
        self, detection: str, reaching: str, before: tuple[Step, ...]
    ) -> Iterator[Scene]:
        """What the guest's own stack does."""
        stacks, at = self._staged.stacks, self._cast.guest
        if stacks.guest is not None:
            yield duplicates.scene(detection, stacks.guest, at, before)
        if stacks.floating is not None:
            yield floating.scene(reaching, stacks.floating, self._staged.segment, at, before)


def _spots(
    segment: Segment, beyond: Wire | None, outside: Mapping[str, Neighbour]
) -> tuple[tuple[Spot, ...], Cast]:
    named = (segment.name, *segment.names().values(), *segment.legs().values())
    spots = [Spot(name, HOST, name) for name in dict.fromkeys(named)]
    spots.append(Spot(GUEST_SPOT, GUEST, GUEST_DEVICE))
    if beyond is None:
        return tuple(spots), Cast(GUEST_SPOT, segment.name, segment.name)
    far = outside[beyond.name]
    space, device = far.server
    spots.append(Spot(SERVER_SPOT, space, device))
    wire = SERVER_SPOT
    if (space, device) != (far.space, far.wire):
        wire = f"beyond {beyond.name}"
        spots.append(Spot(wire, far.space, far.wire))
    return tuple(spots), Cast(GUEST_SPOT, SERVER_SPOT, wire)


class _Reset(Struct, frozen=True):
    """Undoes what a scene teaches the bridge."""

    segment: Segment
    exchange: Exchange
    vid: int

    def to(self, table: tuple[Step, ...] = ()) -> tuple[Step, ...]:
        """Forget guest and server, then put ``table`` in place."""
        home = self.segment.home.name
        return (
            *opening_steps(self.segment),
            *forget_steps(self.segment.station.mac, home, self.vid),
            *forget_steps(server_mac(self.exchange), home, self.vid),
            *table,
            *state_steps(self.segment),
        )

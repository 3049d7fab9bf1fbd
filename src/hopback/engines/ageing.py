"""The bridges' tables while time goes by: what frames teach them, and what they forget.

net/bridge/br_fdb.c, Linux 6.12: br_fdb_update renews an entry's time, br_fdb_cleanup removes it
when ageing_time is over. Static entries and those learned by hardware stay.
"""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from hopback.datapath.bridge import learn
from hopback.datapath.bridge.state import FdbEntry, FdbKey
from hopback.datapath.bridge.vlan import admit
from hopback.datapath.effects import Learn, Place, Snoop, Why
from hopback.datapath.model import Model
from hopback.datapath.vxlan import learned
from hopback.frames.ethernet import Frame
from hopback.network.facts import DevId

_AGEING = 300_000_000_000  # ns; BR_DEFAULT_AGEING_TIME
_LEARNS = ("learning", "forwarding")


class Slot(NamedTuple):
    """One entry's place in one bridge's table."""

    bridge: DevId
    key: FdbKey


class Tables:
    """A model whose tables change; ``model`` is how they are now."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._first = model
        self._seen: dict[Slot, int] = {}

    def ageing(self, bridge: DevId) -> int:
        """How long an entry lasts without a frame, in ns."""
        told = self.model.network.bridges[bridge].settings.get("ageing_time")
        return int(told.value) if told is not None else _AGEING

    def old(self) -> Iterator[tuple[int, Slot]]:
        """The recorded entries that can age, and in how many ns they will."""
        for id_, bridge in self.model.network.bridges.items():
            ages = {
                (entry.row.mac, entry.row.vlan): entry.row.age or 0
                for listing in bridge.listings
                for entry in listing.entries
            }
            for key, entry in self.model.bridges[id_].fdb.items():
                if not (entry.local or entry.lasting):
                    slot = Slot(id_, key)
                    self._seen[slot] = -ages.get(key, 0)
                    yield max(0, self._seen[slot] + self.ageing(id_)), slot

    def refresh(self, place: Place, frame: Frame, now: int) -> None:
        """A frame comes in: the entry of its source, if that is where it belongs, is renewed."""
        bridge = self.model.bridge_of.get(place.dev)
        if bridge is None or place.way != "in":
            return
        state = self.model.bridges[bridge]
        port = state.ports.get(place.dev)
        if port is None or not port.learning or not state.learns or port.state not in _LEARNS:
            return
        inside = admit(state, port.vlans, frame)
        if isinstance(inside, Why):
            return
        slot = Slot(bridge, (frame.src, inside.vid))
        entry = state.fdb.get(slot.key)
        if entry is not None and entry.port == place.dev and slot in self._seen:
            self._seen[slot] = now

    def learn(self, learnt: Learn, now: int) -> Slot | None:
        """Apply it; the slot that is to be looked at when its time is over, if it is a new one."""
        state = learn.applied(self.model.bridges[learnt.bridge], learnt)
        self._put(learnt.bridge, state.fdb)
        slot = Slot(learnt.bridge, (learnt.mac, learnt.vlan))
        fresh = slot not in self._seen and not state.fdb[slot.key].lasting
        if fresh or slot in self._seen:
            self._seen[slot] = now
        return slot if fresh else None

    def snoop(self, snooped: Snoop) -> None:
        """Apply what a VXLAN device learned."""
        vxlans = self.model.vxlans
        device = vxlans.by_id[snooped.dev]
        entry = learned(device.fdb.get(snooped.mac), snooped)
        device = replace(device, fdb={**device.fdb, snooped.mac: entry})
        vxlans = replace(vxlans, by_id={**vxlans.by_id, device.id: device})
        self.model = replace(self.model, vxlans=vxlans)

    def expire(self, slot: Slot, now: int) -> int:
        """Remove the entry if its time is over; else in how many ns it will be, 0 if it is gone."""
        left = self._seen[slot] + self.ageing(slot.bridge) - now
        if left > 0:
            return left
        del self._seen[slot]
        fdb = self.model.bridges[slot.bridge].fdb
        self._put(slot.bridge, {key: entry for key, entry in fdb.items() if key != slot.key})
        return 0

    def changed(self) -> dict[Slot, tuple[DevId | None, DevId | None]]:
        """The entries that are on another port than at the beginning; None: on none."""
        found: dict[Slot, tuple[DevId | None, DevId | None]] = {}
        for id_, state in self.model.bridges.items():
            before = self._first.bridges[id_].fdb
            if state.fdb is before:
                continue
            for key in dict.fromkeys((*before, *state.fdb)):
                ports = _port(before.get(key)), _port(state.fdb.get(key))
                if ports[0] != ports[1]:
                    found[Slot(id_, key)] = ports
        return found

    def _put(self, bridge: DevId, fdb: "dict[FdbKey, FdbEntry] | object") -> None:
        state = replace(self.model.bridges[bridge], fdb=fdb)
        self.model = replace(self.model, bridges={**self.model.bridges, bridge: state})


def _port(entry: FdbEntry | None) -> DevId | None:
    return entry.port if entry else None

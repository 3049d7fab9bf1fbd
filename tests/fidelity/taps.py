"""What the areas that are taps on one bridge share: its names, and both sides of a case."""

import os
from collections.abc import Mapping, Sequence

from hopback.datapath.bridge.state import BridgeState, FdbKey
from hopback.datapath.kernel import behaviour_of
from hopback.datapath.netfilter.hooks import Netfilter
from hopback.network.facts import DevId
from tests.fidelity.area import Prediction, Result, received
from tests.fidelity.mutants import Mutation
from tests.fidelity.playback import Playback
from tests.kernel.bridge_rig import BRIDGE, FdbEntry, KernelBridge

Frames = Sequence[tuple[int | None, bytes]]
"""Frames by the port they come in by; None: the host's own."""

HOST = DevId("", "", BRIDGE)
PORTS = tuple(DevId("", "", f"lp{index}") for index in range(8))
KERNEL = behaviour_of(os.uname().release)


def observed(bridge: KernelBridge, frames: Frames) -> Result:
    """What the kernel's bridge makes of ``frames``."""
    seen = bridge.play(frames)
    local = {PORTS[port].name: received(kept) for port, kept in seen.kept.items()}
    if seen.local:
        local[BRIDGE] = received(seen.local)
    egress = {PORTS[port].name: sent for port, sent in seen.egress.items()}
    return Result(egress, local, _listed(bridge.table()))


def _listed(table: Mapping[FdbKey, FdbEntry]) -> dict[FdbKey, tuple[DevId | None, bool, bool]]:
    """The kernel's table as ``Playback`` gives the model's: port, local, sticky."""
    return {
        key: (None if entry.port is None else PORTS[entry.port], entry.local, entry.sticky)
        for key, entry in table.items()
    }


def played(
    state: BridgeState, frames: Frames, mutation: Mutation, netfilter: Netfilter | None = None
) -> Playback:
    """The model's bridge after ``frames``."""
    run = Playback(state, mutation, netfilter)
    for at, raw in frames:
        run.take(None if at is None else PORTS[at], raw)
    return run


def predicted(
    state: BridgeState, frames: Frames, mutation: Mutation, netfilter: Netfilter | None = None
) -> Prediction:
    """What the model's bridge makes of ``frames``."""
    return played(state, frames, mutation, netfilter).prediction()

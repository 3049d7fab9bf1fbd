"""Size, authorisation and a promiscuous bridge: the running kernel and the model, case by case."""

import fcntl
import struct
from typing import Any

import pytest

from hopback.datapath.bridge.ingress import receive
from hopback.datapath.bridge.learn import applied
from hopback.datapath.bridge.state import BridgeState, FdbEntry
from hopback.datapath.bridge.state import PortConfig as ModelPort
from hopback.datapath.effects import Deliver, Effect, Learn, Send
from hopback.frames.codec import decode
from hopback.frames.mac import BROADCAST, Mac, mac_to_bytes
from hopback.network.facts import DevId
from tests.kernel import netlink
from tests.kernel.bridge_rig import (
    BRIDGE,
    BRIDGE_MAC,
    TEST_ETHERTYPE,
    TUN,
    KernelBridge,
    PortConfig,
    StaticEntry,
    port_mac,
)

pytestmark = pytest.mark.kernel(TUN)

HOST = DevId("", "", BRIDGE)
PORTS = tuple(DevId("", "", f"lp{i}") for i in range(3))
ANN, BOB, EVE = (Mac(0x0200_0000_0100 + i) for i in range(3))
IFLA_BRPORT_BACKUP_PORT, IFLA_BRPORT_MAB = 34, 40
TUNSETCARRIER = 0x4004_54E2


class Rig(KernelBridge):
    """Three ports, BOB's entry on the second."""

    def __init__(self) -> None:
        super().__init__([PortConfig()] * 3, [StaticEntry(BOB, 1)])

    def __enter__(self) -> "Rig":
        super().__enter__()
        return self

    def order(self, *lines: str) -> None:
        self._batch("ip", lines)

    def lock_with_mab(self, port: int) -> None:
        locked = (39, b"\1")
        order = netlink.bridge_port(self._index[port], [locked, (IFLA_BRPORT_MAB, b"\1")])
        self._orders.give([order])

    def cut(self, port: int, backup: int) -> None:
        """Take the carrier from a port that has a backup."""
        attribute = (IFLA_BRPORT_BACKUP_PORT, struct.pack("=I", self._index[backup]))
        self._orders.give([netlink.bridge_port(self._index[port], [attribute])])
        fcntl.ioctl(self._taps[port], TUNSETCARRIER, struct.pack("=i", 0))


def state(*, p0: Any = None, p1: Any = None, **settings: Any) -> BridgeState:
    flags: tuple[dict[str, Any], ...] = (p0 or {}, p1 or {}, {})
    fdb = {(port_mac(i), 0): FdbEntry(PORTS[i], local=True) for i in range(3)}
    fdb |= {(BRIDGE_MAC, 0): FdbEntry(None, local=True), (BOB, 0): FdbEntry(PORTS[1])}
    return BridgeState(
        HOST,
        {id_: ModelPort(id_, port_mac(i), **flags[i]) for i, id_ in enumerate(PORTS)},
        fdb,
        mac=BRIDGE_MAC,
        mcast_snooping=False,
        **settings,
    )


def frame(dst: Mac, src: Mac = ANN, size: int = 46, tag: bytes = b"") -> bytes:
    head = mac_to_bytes(dst) + mac_to_bytes(src) + tag
    return head + TEST_ETHERTYPE.to_bytes(2, "big") + bytes(size)


def agree(rig: Rig, model: BridgeState, port: int, raw: bytes) -> BridgeState:
    """Both sides send the same frames to the same places; the model after it."""
    seen = rig.inject(port, raw)
    effects: tuple[Effect, ...] = receive(model, {}, PORTS[port], decode(raw))
    sent = {e.dev.name for e in effects if isinstance(e, Send)}
    assert {f"lp{i}" for i in seen.egress} == sent
    up = [e.packet_type for e in effects if isinstance(e, Deliver)]
    assert [s.type.name.lower() for s in seen.local] == up
    for effect in effects:
        if isinstance(effect, Learn):
            model = applied(model, effect)
    return model


@pytest.mark.parametrize("tag", [b"", bytes.fromhex("81000005")], ids=["plain", "tagged"])
def test_a_frame_too_big_for_a_port(tag: bytes) -> None:
    with Rig() as rig:
        rig.order("link set lp1 mtu 200")
        for size in (199, 200, 204, 205, 300):
            for target in (BOB, EVE, BROADCAST):
                agree(rig, state(p1={"mtu": 200}), 0, frame(target, size=size, tag=tag))


def test_a_promiscuous_bridge_hears_what_it_forwards() -> None:
    with Rig() as rig:
        rig.order(f"link set {BRIDGE} promisc on")
        for target in (BOB, EVE, ANN, BROADCAST, BRIDGE_MAC, port_mac(1)):
            agree(rig, state(promisc=()), 0, frame(target))


def test_a_backup_port_takes_what_is_for_one_without_a_carrier() -> None:
    with Rig() as rig:
        rig.cut(1, backup=2)
        agree(rig, state(p1={"carrier": False, "backup": PORTS[2]}), 0, frame(BOB))


def test_mab() -> None:
    with Rig() as rig:
        rig.lock_with_mab(0)
        model = state(p0={"locked": True, "mab": True})
        for port, raw in (
            (0, frame(BOB, EVE)),
            (0, frame(BOB, EVE)),
            (1, frame(EVE, BOB)),
            (2, frame(BOB, EVE)),
            (0, frame(BOB, EVE)),
            (0, frame(EVE, BOB)),
        ):
            model = agree(rig, model, port, raw)
        assert model.fdb[EVE, 0].port == PORTS[2]
        assert rig.fdb()[EVE].port == 2

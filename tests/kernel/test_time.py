"""The kernel's clock against the model's: tables that age, ports that wait for spanning tree.

The model has no clock. What time does, it does to the kernel's tables, and those are read; whatever
they say at a moment, the model has to say of a frame what the kernel does with it at that moment.
Timers are set to a second or two.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from hopback.datapath.bridge.ingress import receive
from hopback.datapath.effects import Learn, Send
from hopback.datapath.model import model_of
from hopback.frames.codec import decode
from hopback.frames.mac import Mac, mac_to_bytes
from hopback.lab.netns.observer import Observer
from hopback.network.build import build
from hopback.network.facts import DevId
from hopback.sources.live import read
from tests.kernel.rig import Rig, wait_until

pytestmark = pytest.mark.kernel

PORTS = 3
GUEST, STRANGER = Mac(0x0200_0000_0011), Mac(0x0200_0000_0099)


class TimedBridge:
    """A bridge with three ports, at whose far ends frames are sent and seen."""

    def __init__(self, rig: Rig, undo: ExitStack, settings: str) -> None:
        self._rig = rig
        for role in ("host", "edge"):
            rig.namespace(role)
        rig.ip("host", f"link add lbr0 type bridge mcast_snooping 0 {settings}")
        for number in range(PORTS):
            peer = f"le{number} netns {rig.name('edge')}"
            rig.ip("host", f"link add lp{number} type veth peer name {peer}")
            rig.ip("host", f"link set lp{number} master lbr0 up")
            rig.ip("edge", f"link set le{number} up")
        self._ends = [Observer(rig.space("edge"), f"le{n}", outgoing=False) for n in range(PORTS)]
        for end in self._ends:
            undo.callback(end.close)
        rig.ip("host", "link set lbr0 up")

    def states(self) -> list[str]:
        return [port["state"] for port in self._rig.show("host", "bridge", "link")]

    def told(self, at: int, target: Mac, source: Mac) -> tuple[set[str], set[str], bool]:
        """Where the kernel sends a frame, where the model says, and whether that would learn."""
        raw = mac_to_bytes(target) + mac_to_bytes(source) + b"\x88\xb5" + bytes(46)
        name = self._rig.name("host")
        model = model_of(build([read((name,))]))
        (bridge,) = (b for id_, b in model.bridges.items() if id_.name == "lbr0")
        port = DevId(bridge.id.host, name, f"lp{at}")
        effects = receive(bridge, {}, port, decode(raw))
        predicted = {e.dev.name for e in effects if isinstance(e, Send)}
        for end in self._ends:
            end.take()
        self._ends[at].send(raw)
        time.sleep(0.05)  # a veth hands over in softirq; nothing else is on the wire
        seen = {
            f"lp{n}" for n, end in enumerate(self._ends) if any(raw == s.frame for s in end.take())
        }
        return seen, predicted, any(isinstance(e, Learn) for e in effects)

    def knows(self, mac: Mac) -> bool:
        raw = ":".join(f"{byte:02x}" for byte in mac_to_bytes(mac))
        rows = self._rig.show("host", "bridge", "fdb", "show", "br", "lbr0")
        return any(row["mac"] == raw for row in rows)


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_an_entry_is_used_until_the_collector_takes_it(undo: ExitStack) -> None:
    with Rig(30) as rig:
        bridge = TimedBridge(rig, undo, "stp_state 0 forward_delay 0 ageing_time 150")
        rig.wait_for_forwarding("host")
        assert bridge.told(0, STRANGER, GUEST)[2], "the guest is learned"
        seen, predicted, _ = bridge.told(1, GUEST, STRANGER)
        assert seen == predicted == {"lp0"}
        wait_until(lambda: not bridge.knows(GUEST), "the entry is gone", seconds=8)
        seen, predicted, _ = bridge.told(1, GUEST, STRANGER)
        assert seen == predicted == {"lp0", "lp2"}


def test_a_static_entry_outlives_the_ageing_time(undo: ExitStack) -> None:
    with Rig(30) as rig:
        bridge = TimedBridge(rig, undo, "stp_state 0 forward_delay 0 ageing_time 100")
        rig.wait_for_forwarding("host")
        rig.bridge("host", "fdb add 02:00:00:00:00:11 dev lp0 master static")
        time.sleep(2.5)
        seen, predicted, _ = bridge.told(1, GUEST, STRANGER)
        assert seen == predicted == {"lp0"}


def test_a_port_listens_then_learns_then_forwards(undo: ExitStack) -> None:
    """Kernel spanning tree with a forward delay of two seconds, its least."""
    with Rig(40) as rig:
        bridge = TimedBridge(rig, undo, "stp_state 1 forward_delay 200 hello_time 100")
        wait_until(lambda: set(bridge.states()) == {"listening"}, "all ports listen")
        assert bridge.told(0, GUEST, STRANGER) == (set(), set(), False)
        assert not bridge.knows(STRANGER)
        wait_until(lambda: set(bridge.states()) == {"learning"}, "all ports learn", seconds=8)
        assert bridge.told(0, GUEST, STRANGER) == (set(), set(), True)
        assert bridge.knows(STRANGER)
        wait_until(lambda: set(bridge.states()) == {"forwarding"}, "all forward", seconds=8)
        seen, predicted, _ = bridge.told(0, GUEST, STRANGER)
        assert seen == predicted == {"lp1", "lp2"}


def test_spanning_tree_cuts_a_ring_and_the_model_sees_the_cut(undo: ExitStack) -> None:
    with Rig(40) as rig:
        bridge = TimedBridge(rig, undo, "stp_state 1 forward_delay 200 hello_time 100")
        rig.ip("host", "link add lr0 type veth peer name lr1")
        rig.ip("host", "link set lr0 master lbr0 up", "link set lr1 master lbr0 up")
        wait_until(
            lambda: sorted(bridge.states()) == ["blocking", *["forwarding"] * (PORTS + 1)],
            "one end of the ring blocks",
            seconds=12,
        )
        seen, predicted, _ = bridge.told(0, Mac(0xFFFF_FFFF_FFFF), STRANGER)
        assert seen == predicted - {"lr0", "lr1"} == {"lp1", "lp2"}
        assert len(predicted & {"lr0", "lr1"}) == 1

"""Size, authorisation, a backup and a promiscuous bridge, one at a time, on the running kernel."""

import pytest

from hopback.frames.mac import BROADCAST, Mac, mac_to_bytes
from tests.fidelity.areas.port import AREA
from tests.fidelity.areas.port_cases import PortCase
from tests.fidelity.run import assert_agree
from tests.kernel.bridge_rig import BRIDGE_MAC, TEST_ETHERTYPE, StaticEntry, port_mac
from tests.kernel.port_rig import FullPort, PortBridge
from tests.kernel.tap import TUN

pytestmark = pytest.mark.kernel(TUN)

PLAIN = FullPort()
ANN, BOB, EVE = (Mac(0x0200_0000_0100 + i) for i in range(3))
BOBS = (StaticEntry(BOB, 1),)


def frame(dst: Mac, src: Mac = ANN, size: int = 46, tag: bytes = b"") -> bytes:
    head = mac_to_bytes(dst) + mac_to_bytes(src) + tag
    return head + TEST_ETHERTYPE.to_bytes(2, "big") + bytes(size)


def numbered(*frames: tuple[int, Mac, Mac]) -> tuple[tuple[int, bytes], ...]:
    """Frames by port, source and destination, of which no two are alike."""
    return tuple((at, frame(dst, src, 40 + i)) for i, (at, src, dst) in enumerate(frames))


@pytest.mark.parametrize("tag", [b"", bytes.fromhex("81000005")], ids=["plain", "tagged"])
def test_a_frame_too_big_for_a_port(tag: bytes) -> None:
    frames = tuple(
        (0, frame(target, size=size, tag=tag))
        for size in (199, 200, 204, 205, 300)
        for target in (BOB, EVE, BROADCAST)
    )
    ports = (PLAIN, FullPort(mtu=200), PLAIN)
    assert_agree(AREA, PortCase(ports, entries=BOBS, frames=frames))


def test_a_promiscuous_bridge_hears_what_it_forwards() -> None:
    targets = (BOB, EVE, ANN, BROADCAST, BRIDGE_MAC, port_mac(1))
    frames = tuple((0, frame(target)) for target in targets)
    assert_agree(AREA, PortCase((PLAIN,) * 3, entries=BOBS, frames=frames, promisc=True))


def test_a_backup_port_takes_what_is_for_one_without_a_carrier() -> None:
    ports = (FullPort(state=0, backup=True), PLAIN, PLAIN)
    frames = numbered((2, ANN, BOB), (1, ANN, BOB))
    entries = (StaticEntry(BOB, 0),)
    assert_agree(AREA, PortCase(ports, entries=entries, frames=frames, cut=True))


@pytest.mark.skipif("mab" not in AREA.rules, reason="needs Linux 6.2")
def test_a_station_waits_for_its_authorisation_until_it_is_seen_elsewhere() -> None:
    frames = numbered(
        (0, EVE, BOB), (0, EVE, BOB), (1, BOB, EVE), (2, EVE, BOB), (0, EVE, BOB), (0, BOB, EVE)
    )
    ports = (FullPort(locked=True, mab=True), PLAIN, PLAIN)
    for count in range(1, len(frames) + 1):
        assert_agree(AREA, PortCase(ports, entries=BOBS, frames=frames[:count]))


def test_a_tag_counts_if_a_raw_socket_wrote_it() -> None:
    """What a port or a VLAN device hands over has its tag beside it; the model knows only that."""
    raw = frame(BROADCAST, size=204, tag=bytes.fromhex("81000005"))
    with PortBridge(2, cut=False, promisc=False) as bridge:
        bridge.fill([PLAIN, FullPort(mtu=200)])
        assert set(bridge.inject(0, raw).egress) == {1}
        assert set(bridge.transmit(raw).egress) == {0}

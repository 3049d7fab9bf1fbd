"""The rig asked what is known of the bridge: it has to give the known answers.

Kernel functions in brackets are those of net/bridge, Linux 6.18; all of this holds since 4.20.
"""

import time

import pytest

from hopback.frames.mac import BROADCAST, ZERO, Mac, mac_to_bytes, parse_mac
from hopback.lab.netns.observer import PacketType, Seen
from tests.kernel.bridge_rig import (
    BRIDGE_MAC,
    FdbEntry,
    KernelBridge,
    Observation,
    PortConfig,
    Settings,
    StaticEntry,
    port_mac,
)
from tests.kernel.tap import TUN

pytestmark = pytest.mark.kernel(TUN)

ANNA = parse_mac("02:00:00:00:01:01")
BERT = parse_mac("02:00:00:00:01:02")
STRANGER = parse_mac("02:00:00:00:01:99")
GROUP = parse_mac("01:00:5e:7f:01:02")
STP = parse_mac("01:80:c2:00:00:00")
PAUSE = parse_mac("01:80:c2:00:00:01")
LLDP = parse_mac("01:80:c2:00:00:0e")

PLAIN = PortConfig()
LEARNING, BLOCKED_BEFORE_LEARNING = 2, (0, 1)  # BR_STATE_LEARNING; DISABLED and LISTENING


def frame(source: Mac, target: Mac, mark: int = 0) -> bytes:
    """A frame of an experimental ethertype that nothing in the kernel answers."""
    return mac_to_bytes(target) + mac_to_bytes(source) + b"\x88\xb5" + mark.to_bytes(46, "big")


def to_ports(sent: bytes, *ports: int) -> dict[int, tuple[bytes, ...]]:
    return dict.fromkeys(ports, (sent,))


def test_broadcast_goes_to_the_other_ports_and_up() -> None:
    sent = frame(ANNA, BROADCAST, mark=7)
    with KernelBridge([PLAIN] * 3) as bridge:
        seen = bridge.inject(0, sent)
    assert seen == Observation(to_ports(sent, 1, 2), (Seen(PacketType.BROADCAST, sent),))


def test_known_unicast_goes_to_its_port_alone() -> None:
    sent = frame(BERT, ANNA)
    with KernelBridge([PLAIN] * 3) as bridge:
        bridge.inject(0, frame(ANNA, BROADCAST))
        assert bridge.inject(2, sent) == Observation(to_ports(sent, 0))
        # Behind the port it came from: dropped without a word [should_deliver].
        assert bridge.inject(0, sent) == Observation()


def test_hairpin_returns_the_sender_its_own_broadcast() -> None:
    sent = frame(ANNA, BROADCAST)
    with KernelBridge([PortConfig(hairpin=True), PLAIN]) as bridge:
        assert bridge.inject(0, sent).egress == to_ports(sent, 0, 1)
        assert bridge.inject(0, frame(BERT, ANNA)).egress == to_ports(frame(BERT, ANNA), 0)
        assert bridge.inject(0, frame(BERT, STRANGER)).egress.keys() == {0, 1}


def test_isolated_ports_reach_only_the_others() -> None:
    sent = frame(ANNA, BROADCAST)
    isolated = PortConfig(isolated=True, hairpin=True)
    with KernelBridge([isolated, isolated, PLAIN]) as bridge:
        # Not even the own hairpin: source and target are both isolated.
        assert bridge.inject(0, sent).egress == to_ports(sent, 2)
        assert bridge.inject(2, frame(BERT, ANNA)).egress.keys() == {0}


@pytest.mark.parametrize(
    ("target", "packet_type"),
    [(BRIDGE_MAC, PacketType.HOST), (port_mac(1), PacketType.OTHERHOST)],
)
def test_local_entry_swallows_the_frame(target: Mac, packet_type: PacketType) -> None:
    # The address of another port is local too, but the frame is marked as somebody else's.
    sent = frame(ANNA, target)
    with KernelBridge([PLAIN] * 2) as bridge:
        assert bridge.inject(0, sent) == Observation({}, (Seen(packet_type, sent),))


def test_local_entry_made_by_hand_takes_a_guests_traffic_away() -> None:
    sent = frame(ANNA, BERT)
    with KernelBridge([PLAIN] * 2, [StaticEntry(BERT, 1, local=True)]) as bridge:
        assert bridge.inject(0, sent) == Observation({}, (Seen(PacketType.OTHERHOST, sent),))
        assert bridge.fdb()[BERT] == FdbEntry(1, local=True)


def test_own_address_as_source_is_flooded_and_moves_nothing() -> None:
    sent = frame(BRIDGE_MAC, BROADCAST)
    with KernelBridge([PLAIN] * 2) as bridge:
        before = bridge.fdb()
        assert bridge.inject(0, sent).egress == to_ports(sent, 1)
        assert bridge.fdb() == before


@pytest.mark.parametrize(("sticky", "port"), [(False, 0), (True, 1)])
def test_static_entry_moves_and_sticky_entry_stays(sticky: bool, port: int) -> None:
    with KernelBridge([PLAIN] * 2, [StaticEntry(ANNA, 1, sticky=sticky)]) as bridge:
        assert bridge.fdb()[ANNA] == FdbEntry(1, static=True, sticky=sticky)
        bridge.inject(0, frame(ANNA, BROADCAST))
        assert bridge.fdb()[ANNA] == FdbEntry(port, static=True, sticky=sticky)


def test_link_local_frame_is_not_forwarded_but_teaches() -> None:
    with KernelBridge([PLAIN] * 2) as bridge:
        sent = frame(ANNA, LLDP)
        assert bridge.inject(0, sent) == Observation(kept={0: (Seen(PacketType.MULTICAST, sent),)})
        assert bridge.fdb()[ANNA] == FdbEntry(0)


def test_group_fwd_mask_lets_lldp_through() -> None:
    with KernelBridge([PLAIN] * 2, settings=Settings(group_fwd_mask=1 << 14)) as bridge:
        assert bridge.inject(0, frame(ANNA, LLDP)).egress.keys() == {1}
    with KernelBridge([PortConfig(group_fwd_mask=1 << 14), PLAIN]) as bridge:
        assert bridge.inject(0, frame(ANNA, LLDP)).egress.keys() == {1}
        assert bridge.inject(1, frame(BERT, LLDP)).egress == {}


def test_pause_frame_is_dropped_and_stp_is_ordinary_multicast_while_stp_is_off() -> None:
    with KernelBridge([PLAIN] * 2) as bridge:
        assert bridge.inject(0, frame(ANNA, PAUSE)) == Observation()
        assert ANNA not in bridge.fdb()
        seen = bridge.inject(0, frame(ANNA, STP))
        assert seen.egress.keys() == {1}
        assert [up.type for up in seen.local] == [PacketType.MULTICAST]


def test_what_the_spanning_tree_says_is_not_taken_for_an_answer() -> None:
    with KernelBridge([PLAIN] * 2, settings=Settings(stp=True)) as bridge:
        time.sleep(2.2)  # it says hello every 2 s
        assert bridge.inject(0, frame(ANNA, PAUSE)) == Observation()
        time.sleep(2.2)
        bridge.configure([PLAIN] * 2)
        assert bridge.inject(0, frame(ANNA, PAUSE)) == Observation()


@pytest.mark.parametrize("source", [ZERO, GROUP, BROADCAST])
def test_source_that_is_no_station_is_dropped(source: Mac) -> None:
    with KernelBridge([PLAIN] * 2) as bridge:
        before = bridge.fdb()
        assert bridge.inject(0, frame(source, BROADCAST)) == Observation()
        assert bridge.fdb() == before


@pytest.mark.parametrize(
    ("config", "withheld"),
    [
        (PortConfig(flood=False), STRANGER),
        (PortConfig(mcast_flood=False), GROUP),
        (PortConfig(bcast_flood=False), BROADCAST),
    ],
)
def test_flood_flag_withholds_its_kind_alone(config: PortConfig, withheld: Mac) -> None:
    with KernelBridge([PLAIN, config, PLAIN]) as bridge:
        for target in (STRANGER, GROUP, BROADCAST):
            expected = {2} if target == withheld else {1, 2}
            assert bridge.inject(0, frame(ANNA, target)).egress.keys() == expected
        # A frame for a station known to be there passes all the same.
        bridge.inject(1, frame(BERT, BROADCAST))
        assert bridge.inject(0, frame(ANNA, BERT)).egress.keys() == {1}


def test_port_without_learning_forwards_and_forgets() -> None:
    with KernelBridge([PortConfig(learning=False), PLAIN]) as bridge:
        assert bridge.inject(0, frame(ANNA, BROADCAST)).egress.keys() == {1}
        assert ANNA not in bridge.fdb()


@pytest.mark.parametrize("state", BLOCKED_BEFORE_LEARNING)
def test_port_that_is_not_learning_drops_at_once(state: int) -> None:
    with KernelBridge([PortConfig(state=state), PLAIN]) as bridge:
        assert bridge.inject(0, frame(ANNA, BROADCAST)) == Observation()
        assert ANNA not in bridge.fdb()
        assert bridge.inject(1, frame(BERT, BROADCAST)).egress == {}


def test_learning_port_learns_and_drops() -> None:
    with KernelBridge([PortConfig(state=LEARNING), PLAIN]) as bridge:
        assert bridge.inject(0, frame(ANNA, BROADCAST)) == Observation()
        assert bridge.fdb()[ANNA] == FdbEntry(0)


def test_locked_port_admits_only_stations_known_there() -> None:
    static = [StaticEntry(ANNA, 0)]
    with KernelBridge([PortConfig(locked=True, learning=False), PLAIN], static) as bridge:
        assert bridge.inject(0, frame(ANNA, BROADCAST)).egress.keys() == {1}
        assert bridge.inject(0, frame(STRANGER, BROADCAST)) == Observation()


def test_without_ageing_time_the_bridge_is_a_hub() -> None:
    with KernelBridge([PLAIN] * 3, settings=Settings(ageing_time=0)) as bridge:
        bridge.inject(0, frame(ANNA, BROADCAST))
        assert ANNA not in bridge.fdb()
        assert bridge.inject(1, frame(BERT, ANNA)).egress.keys() == {0, 2}


def test_host_sends_by_the_table_and_is_not_learned() -> None:
    unknown, multicast = frame(BERT, STRANGER), frame(BERT, GROUP)
    shy = PortConfig(flood=False, mcast_flood=False, bcast_flood=False)
    with KernelBridge([PLAIN, shy]) as bridge:
        before = bridge.fdb()
        # Of the flood flags only that for unknown unicast holds for the host itself [br_flood].
        assert bridge.transmit(unknown) == Observation(to_ports(unknown, 0))
        assert bridge.transmit(multicast) == Observation(to_ports(multicast, 0, 1))
        assert bridge.fdb() == before


def test_tagged_frame_keeps_its_tag() -> None:
    sent = (
        mac_to_bytes(BROADCAST) + mac_to_bytes(ANNA) + bytes.fromhex("8100 0064 88b5") + bytes(46)
    )
    with KernelBridge([PLAIN] * 2) as bridge:
        seen = bridge.inject(0, sent)
    assert seen == Observation(to_ports(sent, 1), (Seen(PacketType.BROADCAST, sent),))


def test_bridge_that_is_configured_anew_has_forgotten_everything() -> None:
    sent = frame(BERT, ANNA)
    odd = [PortConfig(hairpin=True, isolated=True, locked=True), PortConfig(state=0)]
    with KernelBridge(odd, [StaticEntry(ANNA, 0, sticky=True)]) as bridge:
        bridge.inject(0, frame(ANNA, BROADCAST))
        bridge.configure([PLAIN] * 2, [StaticEntry(STRANGER, 1, local=True)])
        assert bridge.fdb()[STRANGER] == FdbEntry(1, local=True)
        bridge.configure([PLAIN] * 2)
        assert bridge.inject(1, sent).egress == to_ports(sent, 0)
        with KernelBridge([PLAIN] * 2) as fresh:
            fresh.inject(1, sent)
            assert bridge.fdb() == fresh.fdb()
        with pytest.raises(ValueError, match="number and addresses"):
            bridge.configure([PLAIN])

"""The plan of a lab: what is built of a snapshot, in which words, and what is refused."""

import pytest

from hopback.lab.neighbours import KINDS, Kind
from hopback.lab.plan import Design, design
from hopback.lab.steps import Refused, decode_plan, encode_plan
from tests.build import case
from tests.reconstructions import PASTE, RING

TAP, UPLINK = "tap0b5f208b-76", "bond0.2222"


def designed(text: str, **options: object) -> Design:
    given = case(text)
    return design(given.model, given.network.stations[0], **options)  # type: ignore[arg-type]


def lines(made: Design) -> list[str]:
    return [f"{s.space}: {s.tool} {s.line}" for s in (*made.plan.steps, *made.plan.late)]


def test_bridge_guest_and_table_are_built_as_recorded() -> None:
    made = lines(designed(PASTE.read_text()))
    assert made[0].startswith("host: ip link add name brq5dddda71-76 up type bridge stp_state 0")
    guest = (
        "host: ip link add name nic0 address fa:16:3e:56:ea:fa netns guest up type veth"
        f" peer name {TAP} address fe:16:3e:56:ea:fa"
    )
    assert guest in made
    assert f"host: ip link set dev {TAP} master brq5dddda71-76 up" in made
    assert made[-1] == (f"host: bridge fdb replace fa:16:3e:56:ea:fa dev {UPLINK} master dynamic")


def test_flags_and_settings_are_set_where_they_differ_from_a_new_port() -> None:
    text = RING.read_text().replace("learning on flood on", "learning off flood on")
    made = lines(designed(text.replace("mcast_snooping 0", "mcast_snooping 1")))
    assert made[0].endswith("group_fwd_mask 0 mcast_snooping 1 mcast_querier 0 ageing_time 30000")
    assert [line for line in made if "bridge_slave" in line] == [
        "host: ip link set dev lvnet0 type bridge_slave learning off",
        "host: ip link set dev luplink0 type bridge_slave learning off",
    ]


def test_port_that_did_not_forward_does_not() -> None:
    text = RING.read_text().replace("state forwarding", "state blocking")
    made = lines(designed(text))
    assert "host: bridge link set dev lvnet0 state 1" in made


@pytest.mark.parametrize("kind", KINDS[:4])
def test_plan_crosses_as_json(kind: Kind) -> None:
    plan = designed(PASTE.read_text(), uplink=kind, fix="sticky_entry").plan
    assert decode_plan(encode_plan(plan)) == plan


@pytest.mark.parametrize("kind", KINDS[:4])
def test_spots_and_spaces_are_told_apart(kind: Kind) -> None:
    plan = designed(PASTE.read_text(), uplink=kind).plan
    assert len({s.label for s in plan.spots}) == len(plan.spots)
    assert len({(s.space, s.device) for s in plan.spots}) == len(plan.spots)
    assert len(set(plan.spaces)) == len(plan.spaces)
    assert {s.space for s in plan.every_step()} <= set(plan.spaces)
    labels = {s.label for s in plan.spots}
    assert {send.at for scene in plan.scenes for send in scene.sends} <= labels


def test_every_link_of_the_ring_is_shaped_and_down_until_stirred() -> None:
    made = designed(PASTE.read_text(), uplink="two-link-loop")
    shaped = {line.split()[5] for line in lines(made) if " tbf " in line}
    assert shaped == {"near0", "far0", "near1", "far1"}
    assert not any("set dev near" in line and line.endswith(" up") for line in lines(made))
    live = made.plan.scenes[-1]
    assert [s.line for s in live.before if "near" in s.line] == [
        "link set dev near0 up",
        "link set dev near1 up",
    ]
    assert [s.line for s in live.afterwards] == [
        "link set dev near0 down",
        "link set dev near1 down",
    ]


def test_misplaced_entry_suggests_a_reflector_and_a_healthy_table_a_switch() -> None:
    (assumed,) = designed(PASTE.read_text()).assumed
    assert (assumed.device, assumed.kind) == (UPLINK, "reflector")
    healthy = PASTE.read_text().replace("  1\tfa:16:3e:56:ea:fa", "  6\tfa:16:3e:56:ea:fa")
    (assumed,) = designed(healthy).assumed
    assert assumed.kind == "switch"


def test_model_foretells_where_the_reply_is_lost_and_what_the_fix_does() -> None:
    reflector = designed(PASTE.read_text(), uplink="reflector", fix="sticky_entry")
    offer = reflector.live[1]
    assert (offer.message, offer.arrives, offer.lost_at) == ("OFFER", False, UPLINK)
    assert reflector.fixed is not None
    assert all(e.arrives for e in reflector.fixed.live)
    ring = designed(PASTE.read_text(), uplink="two-link-loop", fix="sticky_entry")
    assert ring.fixed is not None
    assert not ring.fixed.live[1].arrives
    silent = designed(PASTE.read_text(), uplink="silent")
    assert all(e.arrives for e in silent.live)
    assert not silent.recorded[1].arrives


def many_guests(count: int) -> str:
    """A host whose bridge has ``count`` taps and a way out."""
    ports = [f"\t\t\t\t\t\t\ttap{n}" for n in range(count)]
    return (
        "root@kvm1:~# brctl show\n"
        "bridge name\tbridge id\t\tSTP enabled\tinterfaces\n"
        "br0\t\t8000.020000000001\tno\t\teth0\n" + "\n".join(ports) + "\n"
        "root@kvm1:~# brctl showmacs br0\n"
        "port no\tmac addr\t\tis local?\tageing timer\n"
        "  2\tfe:54:00:00:00:11\tyes\t\t   0.00\n"
        "  2\t52:54:00:00:00:11\tno\t\t   1.03\n"
        "root@kvm1:~# virsh domiflist vm\n"
        " Interface   Type     Source   Model    MAC\n"
        "-----------------------------------------------------------\n"
        " tap0        bridge   br0      virtio   52:54:00:00:00:11\n"
    )


def test_more_ports_than_a_lab_holds_are_refused_or_left_out() -> None:
    with pytest.raises(Refused, match=r"301 ports, more than the 200.*--partial"):
        designed(many_guests(300))
    made = designed(many_guests(300), partial=True)
    assert "101 of 301 ports are left out" in made.segment.gaps
    assert {"tap0", "eth0"} <= {w.name for w in made.segment.wires}


def test_vlan_filtering_is_refused_or_left_out() -> None:
    text = RING.read_text().replace("vlan_filtering 0", "vlan_filtering 1")
    with pytest.raises(Refused, match="filters VLANs"):
        designed(text)
    assert "lbr0 is built without VLAN filtering" in designed(text, partial=True).segment.gaps


def test_unsupported_device_is_refused_or_left_out() -> None:
    text = RING.read_text().replace("5: ", "6: ", 1) + (
        "root@kvm1:~# ip -d link show vx0\n"
        "9: vx0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master lbr0 state"
        " UNKNOWN mode DEFAULT group default qlen 1000\n"
        "    link/ether 02:00:00:00:00:77 brd ff:ff:ff:ff:ff:ff promiscuity 1\n"
        "    vxlan id 7 remote 192.0.2.7 dstport 4789\n"
        "    bridge_slave state forwarding priority 32 cost 2 hairpin off learning on flood on\n"
    )
    with pytest.raises(Refused, match="vx0 is a vxlan device"):
        designed(text)
    made = designed(text, partial=True)
    assert "vx0, a vxlan device, is left out" in made.segment.gaps
    assert not any("vx0" in line for line in lines(made))


def test_what_stands_in_for_something_else_is_said() -> None:
    gaps = designed(PASTE.read_text()).segment.gaps
    assert gaps == ("bond0.2222 is one plain wire here: neither its VLAN nor bond0 is rebuilt",)


@pytest.mark.parametrize("name", ["a-name-of-more-than-15", "-batch", "a;b"])
def test_name_that_no_device_can_have_is_replaced_and_said(name: str) -> None:
    text = many_guests(3).replace("tap2\n", f"{name}\n")
    made = designed(text)
    assert f"{name!r} cannot be a device's name: it is called port3 here" in made.segment.gaps
    assert "host: ip link set dev port3 master br0 up" in lines(made)


def test_shared_address_is_built_and_said() -> None:
    nic = " tap0        bridge   br0      virtio   52:54:00:00:00:11\n"
    made = designed(many_guests(3) + nic.replace("tap0", "tap1"))
    what = "2 guests have the address 52:54:00:00:00:11: built as recorded"
    assert f"{what}, but only one has a stack that answers" in made.segment.gaps

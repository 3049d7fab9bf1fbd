"""Bonded ways out: rebuilt where the kernel can, with the switch that is said to be beyond them."""

from pathlib import Path

import pytest

from hopback.cli.choose import choose_only
from hopback.datapath.model import model_of
from hopback.lab.compare import Compared, Result, compare
from hopback.lab.neighbours import KINDS, Kind
from hopback.lab.plan import Design, design
from hopback.lab.steps import FACILITIES, Refused, decode_plan, encode_plan
from hopback.lab.uml.runner import UmlRunner
from hopback.network.build import build
from hopback.network.model import Network
from hopback.sources.open import open_source
from tests.build import (
    BRIDGE,
    GUEST0,
    TUN,
    TWIN0,
    fdb,
    link,
    links,
    listing,
    network,
)
from tests.kernel.uml import needs_uml
from tests.reconstructions import ROOT

FIXTURE = ROOT / "tests/fixtures/vm61-bond"
HOST = "62:e9:db:a0:90:f3"
OWN = f"br0: received packet on bond0 with own address as source address (addr:{HOST}, vlan:1)"

_FILES = {
    "802.3ad": ("802.3ad 4", "IEEE 802.3ad Dynamic link aggregation"),
    "active-backup": ("active-backup 1", "fault-tolerance (active-backup)"),
}

UP = "0c:c4:7a:00:00:01"
BONDING = listing(
    "cat /proc/net/bonding/bond0",
    [
        "Ethernet Channel Bonding Driver: v6.1.0",
        "Bonding Mode: load balancing (round-robin)",
        "Slave Interface: eth0",
        "MII Status: up",
        "Slave Interface: eth1",
        "MII Status: up",
    ],
)
LINKS = links(
    link(2, "eth0", UP, master="bond0"),
    link(3, "eth1", UP, master="bond0"),
    link(4, "bond0", UP, "bond mode balance-rr"),
    link(
        5,
        "bond0.2222@bond0",
        UP,
        "vlan protocol 802.1Q id 2222 <REORDER_HDR>",
        master="br0",
        port="",
    ),
    link(6, "br0", UP, BRIDGE),
    link(7, "vnet0", TWIN0, TUN, master="br0", port=""),
)
AWAY = fdb(
    f"{GUEST0} dev bond0.2222 used 3/3 master br0", f"{TWIN0} dev vnet0 master br0 permanent"
)
TAGGED = LINKS + AWAY + BONDING
"""A bridge on a VLAN of a static bond, the guest's entry out there."""


def recorded(folder: Path, mode: str = "balance-xor") -> Network:
    """The recorded host, as it would have been with its bond in another mode."""
    if mode == "balance-xor":
        return build(open_source(str(FIXTURE)).snapshots)
    number, words = _FILES[mode]
    for file in FIXTURE.iterdir():
        text = file.read_text().replace("balance-xor 2", number)
        text = text.replace("balance-xor", mode).replace("load balancing (xor)", words)
        (folder / file.name).write_text(text)
    return build(open_source(str(folder)).snapshots)


def designed(given: Network, kind: Kind | None, *, able: bool = True) -> Design:
    model = model_of(given)
    return design(model, choose_only(model), uplink=kind, capable=FACILITIES if able else ())


def played(given: Network, kind: Kind) -> Result:
    made = designed(given, kind)
    return compare(made, UmlRunner().run(made.plan))


def lines(made: Design) -> list[str]:
    return [f"{s.space}: {s.tool} {s.line}" for s in (*made.plan.steps, *made.plan.late)]


def left(result: Result) -> dict[str, Compared]:
    return {compared.what: compared for compared in result.left}


def test_bond_is_built_with_mode_policy_and_legs(tmp_path: Path) -> None:
    made = lines(designed(recorded(tmp_path), "no-lag"))
    assert (
        f"host: ip link add name bond0 address {HOST} type bond"
        " mode balance-xor miimon 50 xmit_hash_policy layer3+4"
    ) in made
    legs = [line for line in made if line.endswith("master bond0")]
    assert legs == [f"host: ip link set dev {leg} master bond0" for leg in ("b0", "b1")]
    assert "host: bridge vlan add dev bond0 vid 1 pvid untagged" in made
    assert "host: bridge fdb replace 52:54:00:aa:bb:01 dev bond0 master vlan 1 dynamic" in made


def test_switch_has_one_lag_or_two_ports(tmp_path: Path) -> None:
    given = recorded(tmp_path)
    lag, apart = lines(designed(given, "lag")), lines(designed(given, "no-lag"))
    assert "at-bond0: ip link set dev leg1 master wire" in lag
    assert "at-bond0: ip link set dev wire master outer up" in lag
    assert "at-bond0: ip link set dev leg1 master outer up" in apart
    assert not any(" type bond " in line for line in apart if line.startswith("at-bond0"))


def test_partner_speaks_lacp_and_just_its_legs_are_awaited(tmp_path: Path) -> None:
    given = recorded(tmp_path, "802.3ad")
    (awaited,) = designed(given, "lag").plan.bonds
    assert (awaited.legs, awaited.lacp) == (("b0", "b1"), True)
    (alone,) = designed(given, "no-lag").plan.bonds
    assert alone.legs == ("b0",)


@pytest.mark.parametrize("kind", KINDS)
def test_plan_crosses_as_json_and_tells_its_spots_apart(kind: Kind, tmp_path: Path) -> None:
    plan = designed(recorded(tmp_path), kind).plan
    assert decode_plan(encode_plan(plan)) == plan
    assert len({(s.space, s.device) for s in plan.spots}) == len(plan.spots)
    assert {s.space for s in plan.every_step()} <= set(plan.spaces)
    assert set(plan.needs()) >= {"bonding", "8021q"}


def test_static_bond_that_lost_its_guest_suggests_ports_without_a_lag(tmp_path: Path) -> None:
    (assumed,) = designed(recorded(tmp_path), None).assumed
    assert (assumed.device, assumed.kind) == ("bond0", "no-lag")
    (assumed,) = designed(recorded(tmp_path, "802.3ad"), None).assumed
    assert assumed.kind == "reflector"


def test_kernel_without_bonds_builds_one_plain_wire_and_says_so() -> None:
    made = designed(network(TAGGED), "switch", able=False)
    gap = "bond0.2222 is one plain wire here: neither its VLAN nor bond0 is rebuilt"
    assert made.segment.gaps == (gap,)
    assert not {"bonding", "8021q"} & set(made.plan.needs())
    assert [p.spot for p in made.live[1].path] == ["bond0.2222", "vnet0", "the guest"]
    assert designed(network(TAGGED), "switch").segment.gaps == ()
    with pytest.raises(Refused, match="--uplink no-lag needs"):
        designed(network(TAGGED), "no-lag", able=False)


def test_bond_whose_legs_nobody_listed_is_one_plain_wire() -> None:
    gaps = designed(network(LINKS + AWAY), "switch").segment.gaps
    assert gaps == ("bond0.2222 is one plain wire here: neither its VLAN nor bond0 is rebuilt",)


def test_vlan_of_a_plain_device_is_built_on_a_wire() -> None:
    text = LINKS.replace("bond0.2222@bond0", "eth7.2222@eth7").replace("master bond0 ", "")
    nic = links(link(8, "eth7", "0c:c4:7a:00:00:07"))
    made = designed(network(text + nic + AWAY.replace("bond0.", "eth7.")), "reflector")
    assert made.segment.gaps == ()
    vlan = "type vlan protocol 802.1Q id 2222"
    assert f"host: ip link add link eth7 name eth7.2222 address {UP} {vlan}" in lines(made)
    assert "bonding" not in made.plan.needs()


def test_lag_does_not_suit_a_bond_with_one_active_leg(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"bond0 is a bond in active-backup mode.*--uplink no-lag"):
        designed(recorded(tmp_path, "active-backup"), "lag")


@needs_uml
def test_static_bond_on_plain_ports_hears_guest_and_host(tmp_path: Path) -> None:
    result = played(recorded(tmp_path), "no-lag")
    assert (result.outcome, result.differences) == ("reproduced", ())
    assert left(result)["entry"].seen == ("bond0",)
    assert left(result)["own-address"].seen == (OWN,)
    assert result.live[-1].lost_at == "bond0"


@needs_uml
@pytest.mark.parametrize(("mode", "kind"), [("802.3ad", "no-lag"), ("balance-xor", "lag")])
def test_lacp_or_a_lag_returns_nothing(mode: str, kind: Kind, tmp_path: Path) -> None:
    result = played(recorded(tmp_path, mode), kind)
    assert result.differences == ()
    assert left(result)["entry"].seen == ("vnet0",)
    assert left(result)["own-address"].seen == ()
    assert result.arrives
    assert result.why == "the OFFER arrives: nothing beyond returns frames"


@needs_uml
def test_vlan_of_a_bond_carries_what_comes_back() -> None:
    result = played(network(TAGGED), "no-lag")
    assert (result.outcome, result.differences) == ("reproduced", ())
    assert left(result)["entry"].seen == ("bond0.2222",)
    assert [s.spot for s in result.live[0].seen if s.way == "out"][:2] == ["bond0.2222", "bond0"]

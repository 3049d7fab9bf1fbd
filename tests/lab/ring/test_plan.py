"""The lab of directors as a plan: what is built of their tables, what is refused."""

import pytest

from hopback.checks.case import Case
from hopback.cli.lab_ring import Ringed, made, ringed
from hopback.lab.ring.plan import FIXED, RECORDED, RingDesign
from hopback.lab.steps import Facility, Refused, Step
from hopback.network.build import build
from tests.build import listing, pasted
from tests.checks.test_ipvs_loop_followed import FAR, marked, sent_back, tables
from tests.datapath.ipvs.given import MACS, OWN, VIP, host
from tests.remedies.test_balanced import BOTH, NEW, OLD, UDP, service

CAPABLE: tuple[Facility, ...] = ("ip_vs", "ipv6")


def found(text: str) -> Ringed:
    snapshots = pasted(text)
    what = ringed(Case(build(snapshots)), snapshots)
    assert what is not None
    return what


def design(text: str, fix: str | None = None) -> RingDesign:
    return made(found(text), fix, capable=CAPABLE)


def lines(steps: tuple[Step, ...], space: str, tool: str) -> list[str]:
    return [step.line for step in steps if (step.space, step.tool) == (space, tool)]


def test_each_host_has_its_addresses_services_and_neighbours() -> None:
    plan = design(BOTH + NEW).plan
    assert plan.spaces == ("wire", "client", "a", "b")
    ip = lines(plan.steps, "a", "ip")
    assert f"addr add {OWN['a']}/24 dev eth0" in ip
    assert f"addr add {VIP}/32 dev eth0" in ip
    assert f"neigh replace {OWN['b']} lladdr {MACS['b']} dev eth0 nud permanent" in ip
    assert lines(plan.steps, "a", "ipvsadm") == [
        f"-A {UDP} -s rr",
        f"-a {UDP} -r {OWN['b']}:5000 -g -w 1",
    ]
    assert "net/ipv4/ip_forward=0" in lines(plan.steps, "b", "sysctl")
    assert plan.late == ()


def test_what_the_model_expects() -> None:
    made_of = design(BOTH + NEW)
    assert made_of.recorded == (64, VIP)
    (scene,) = made_of.plan.scenes
    assert (scene.name, scene.routed) == (RECORDED, True)
    assert [name for name, _ in scene.also] == [f"UDP {VIP}:5000 told"]


def test_old_kernels_are_imitated_and_that_is_said() -> None:
    made_of = design(BOTH + OLD)
    assert made_of.recorded == (None, None)
    (rule,) = lines(made_of.plan.late, "a", "iptables")
    assert rule.endswith(f"-d {VIP} -j TTL --ttl-set 64")
    (shaped,) = lines(made_of.plan.late, "a", "tc")
    assert "tbf" in shaped
    assert "the old kernel is not to be had" in " ".join(made_of.notes)
    assert any("nomaster" in step.line for step in made_of.plan.scenes[0].afterwards)


def test_a_fix_is_played_by_its_own_commands_for_another_connection() -> None:
    made_of = design(BOTH + NEW, "own_server")
    first, second = made_of.plan.scenes
    assert (second.name, made_of.fixed) == (FIXED, (2, None))
    assert lines(second.before, "b", "ipvsadm") == [
        f"-a {UDP} -r {OWN['b']}:5000 -g -w 1",
        f"-d {UDP} -r {OWN['a']}:5000",
    ]
    assert first.sends[0].frame != second.sends[0].frame


def test_a_fix_that_needs_filters_of_ip_is_refused() -> None:
    with pytest.raises(Refused, match="mark_guard cannot be played here"):
        design(BOTH + NEW, "mark_guard")


def test_kernel_without_ipvs() -> None:
    with pytest.raises(Refused, match="use --in uml") as refused:
        made(found(BOTH + NEW), None, capable=("ipv6",))
    assert refused.value.denied


def test_a_server_behind_a_router() -> None:
    with pytest.raises(Refused, match=f"{FAR} is behind a router"):
        design(sent_back("-g"))


def test_marks_are_not_set() -> None:
    with pytest.raises(Refused, match="goes by marks"):
        design("".join(tables(h) + marked(h, h) for h in "ab"))


def test_tables_alone_are_not_rebuilt() -> None:
    bare = "".join(
        listing("ip -4 -o addr show", [f"2: eth0    inet {OWN[name]}/24 scope global eth0"], name)
        for name in "ab"
    )
    with pytest.raises(Refused, match="addresses and routes were not given"):
        design(bare + service("a", OWN["b"]) + service("b", OWN["a"]))


def test_what_is_left_out_is_named() -> None:
    rules = ["*filter", ":INPUT ACCEPT [0:0]", "-A INPUT -s 198.51.100.1 -j DROP", "COMMIT"]
    assert design(BOTH + NEW + listing("iptables-save", rules, "b")).gaps == ("b: packet filters",)


def test_no_ring_no_lab() -> None:
    snapshots = pasted(host("a") + host("b") + service("a", OWN["b"]) + NEW)
    assert ringed(Case(build(snapshots)), snapshots) is None

"""The same plans on a kernel of their own: another version, the same verdicts."""

import pytest

from hopback.lab.compare import compare
from hopback.lab.neighbours import Kind
from hopback.lab.plan import design
from hopback.lab.steps import Plan, Refused, Step
from hopback.lab.uml.runner import UmlRunner, facilities
from tests.build import case, listing
from tests.kernel.uml import needs_uml
from tests.lab.hypervisor import played
from tests.reconstructions import PASTE

pytestmark = needs_uml


@pytest.mark.parametrize(("kind", "mended"), [("reflector", True), ("two-link-loop", False)])
def test_verdict_is_that_of_the_running_kernel(kind: Kind, mended: bool) -> None:
    given = case(PASTE.read_text())
    station = given.network.stations[0]
    made = design(given.model, station, uplink=kind, fix="sticky_entry")
    result = compare(made, UmlRunner().run(made.plan))
    assert (result.outcome, result.differences, result.mended) == ("reproduced", (), mended)


def test_hairpin_fails_the_guest_s_stack_and_a_filter_mends_it() -> None:
    result = played(UmlRunner(), "vml-k1", fix="port_filter", capable=facilities())
    assert (result.outcome, result.differences, result.mended) == ("reproduced", (), True)
    assert [d.phase for d in result.detections] == ["dadfailed"]
    assert [d.phase for d in result.fixed_detections] == ["preferred"]


def test_kernel_filters_bridges_alone_and_says_so() -> None:
    called = listing("sysctl net.bridge", ["net.bridge.bridge-nf-call-iptables = 1"], "cmp12")
    rules = ("*filter", ":FORWARD ACCEPT [0:0]", "-A FORWARD -p udp -j DROP", "COMMIT")
    given = case(PASTE.read_text() + called + listing("iptables-save", rules, "cmp12"))
    station = given.network.stations[0]
    with pytest.raises(Refused, match="filters of ip need a kernel that has them"):
        design(given.model, station, capable=facilities())


def test_step_that_fails_is_named() -> None:
    plan = Plan(("host",), (Step("host", "ip", "link set nowhere up"),), (), (), ())
    with pytest.raises(Refused, match="ip link set nowhere up: Cannot find device"):
        UmlRunner().run(plan)

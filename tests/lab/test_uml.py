"""The same plans on a kernel of their own: another version, the same verdicts."""

import pytest

from hopback.lab.compare import compare
from hopback.lab.neighbours import Kind
from hopback.lab.plan import design
from hopback.lab.steps import Plan, Refused, Step
from hopback.lab.uml.runner import UmlRunner
from tests.build import case
from tests.kernel.uml import needs_uml
from tests.reconstructions import PASTE

pytestmark = needs_uml


@pytest.mark.parametrize(("kind", "mended"), [("reflector", True), ("two-link-loop", False)])
def test_verdict_is_that_of_the_running_kernel(kind: Kind, mended: bool) -> None:
    given = case(PASTE.read_text())
    station = given.network.stations[0]
    made = design(given.model, station, uplink=kind, fix="sticky_entry")
    result = compare(made, UmlRunner().run(made.plan))
    assert (result.outcome, result.differences, result.mended) == ("reproduced", (), mended)


def test_step_that_fails_is_named() -> None:
    plan = Plan(("host",), (Step("host", "ip", "link set nowhere up"),), (), (), ())
    with pytest.raises(Refused, match="ip link set nowhere up: Cannot find device"):
        UmlRunner().run(plan)

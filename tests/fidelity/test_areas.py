"""What the areas have to offer, all together."""

import os

import pytest

from hopback.datapath.kernel import CURRENT, behaviour_of
from hopback.datapath.rules import RULES
from tests.fidelity.areas import areas


@pytest.mark.skipif(
    behaviour_of(os.uname().release) != CURRENT, reason="the kernel lacks what some rule is about"
)
def test_every_rule_is_compared_with_a_kernel() -> None:
    """A rule that decides and that no area answers for would be a rule without a mutant."""
    compared = {rule for area in areas().values() for rule in area.rules}
    assert compared == {name for name, rule in RULES.items() if rule.area != "assumed"}

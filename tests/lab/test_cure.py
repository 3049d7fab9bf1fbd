"""Remedies in the lab: what is done there, what the model says of it, and what a kernel does."""

import pytest

from hopback.lab.cure import NAMES
from hopback.lab.netns.runner import NetnsRunner
from hopback.lab.steps import Refused
from tests.kernel.filter_rig import filter_refusal
from tests.lab.hypervisor import designed, played

MENDING = {
    "hairpin_off",
    "port_filter",
    "port_filter_ebtables",
    "port_filter_nwfilter",
    "group_filter",
    "mac_filter",
    "isolated_on",
}
"""Of k1, whose only trouble is what it hears of itself."""


@pytest.mark.parametrize("name", NAMES)
def test_every_remedy_is_foretold(name: str) -> None:
    made = designed("vml-k1", fix=name)
    assert made.fixed is not None
    assert made.fixed.name == name
    assert made.fixed.well == (name in MENDING)


def test_filter_is_loaded_by_its_own_file_again_before_each_scene() -> None:
    made = designed("vml-k1", fix="port_filter")
    scenes = [s for s in made.plan.scenes if any(step.tool == "nft" for step in s.before)]
    assert [s.name for s in scenes] == [
        "fixed ARP",
        "fixed NS",
        "duplicate detection, fixed",
        "fixed",
    ]
    (script,) = {step.line for s in scenes for step in s.before if step.tool == "nft"}
    assert "delete table bridge hopback-vnet7" in script
    assert made.fixed is not None
    assert made.fixed.commands == ("nft -f /etc/hopback/hopback-vnet7.nft",)


def test_tool_that_the_lab_has_not_is_loaded_as_nftables_and_said() -> None:
    made = designed("vml-k1", fix="port_filter_ebtables")
    lines = [step.line for step in made.plan.scenes[-1].before if step.tool == "nft"]
    assert lines[-1] == (
        'add rule bridge hopback-vnet7 forward meta iifname "vnet7" meta oifname "vnet7"'
        " ether saddr 52:54:00:77:00:21 ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 drop"
    )
    assert "port_filter_ebtables is loaded as nftables" in made.notes


def test_remedy_that_does_not_apply_is_refused() -> None:
    with pytest.raises(Refused, match="port_filter_nwfilter does not apply to vnet8"):
        designed("vml-k2", fix="port_filter_nwfilter")


def test_filter_needs_nft() -> None:
    with pytest.raises(Refused, match="port_filter needs nft") as refused:
        designed("vml-k1", fix="port_filter", capable=(), partial=True)
    assert refused.value.denied


@pytest.mark.kernel("tc")
@pytest.mark.parametrize(
    "name", ["hairpin_off", "port_filter", "port_filter_nwfilter", "ingress_filter", "nd_filter"]
)
def test_kernel_is_mended_as_foretold(name: str) -> None:
    if reason := filter_refusal(brouting=False):
        pytest.skip(reason)
    result = played(NetnsRunner(), "vml-k1", fix=name)
    assert (result.differences, result.outcome) == ((), "reproduced")
    assert (result.mended, result.well) == (name in MENDING, name in MENDING)
    assert [d.phase for d in result.fixed_detections] == ["preferred"]

"""kubelet's word on hairpin: the mode in force, and not the one that it refuses."""

import pytest

from hopback.snapshot.rows import HairpinMode
from hopback.sources.parse import kubelet
from tests.sources.parse.given import listing, rows

GLOG = "I0611 10:00:00.000001    1234 docker_service.go:258] "


@pytest.mark.parametrize(
    "head", ["", GLOG, f"Jun 11 10:00:00 node1 kubelet[1234]: {GLOG}", "kubelet.go:380] "]
)
@pytest.mark.parametrize("mode", ["none", "hairpin-veth", "promiscuous-bridge"])
def test_mode(head: str, mode: str) -> None:
    line = f'{head}Hairpin mode set to "{mode}"'
    assert kubelet.SHAPE is not None
    assert kubelet.SHAPE.match(line)
    (row,) = rows(kubelet.parse(listing(f"{GLOG}Starting\n{line}")), HairpinMode)
    assert (row.mode, row.cite.line) == (mode, 2)


@pytest.mark.parametrize(
    "line",
    [
        f'{GLOG}Hairpin mode set to "hairpin-veth" but container runtime is "rkt", ignoring',
        f'{GLOG}Hairpin mode set to "promiscuous-bridge" but kubenet is not enabled, falling back'
        ' to "hairpin-veth"',
        f'{GLOG}Hairpin mode set to "sideways"',
        'glog.Infof("Hairpin mode set to %q", mode)',
    ],
)
def test_what_is_not_in_force(line: str) -> None:
    assert not kubelet.parse(listing(line)).rows

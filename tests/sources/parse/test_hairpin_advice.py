"""Commands that a text recommends, which tell of a port and of no setting."""

import pytest

from hopback.snapshot.rows import BridgePort, HairpinAdvice
from hopback.sources.parse import hairpin_advice
from tests.sources.parse.given import listing, pasted, rows


@pytest.mark.parametrize(
    ("line", "bridge"),
    [
        ("echo 0 > /sys/class/net/br7/brif/vnet3/hairpin_mode", "br7"),
        ("    sudo brctl hairpin br7 vnet3 off", "br7"),
        ("bridge link set dev vnet3 hairpin on", None),
    ],
)
def test_port(line: str, bridge: str | None) -> None:
    parsed = hairpin_advice.parse(pasted(line))
    (row,) = rows(parsed, HairpinAdvice)
    assert (row.name, row.bridge) == ("vnet3", bridge)
    assert not rows(parsed, BridgePort)
    assert hairpin_advice.SHAPE is not None
    assert hairpin_advice.SHAPE.match(line)


def test_other_lines() -> None:
    assert hairpin_advice.parse(listing("echo 1 > /proc/x")).problems
    assert not hairpin_advice.parse(pasted("echo 1 > /proc/x")).rows

"""A veth pair: what enters one end leaves the other, if the other takes frames of that size."""

import pytest

from hopback.datapath.effects import Cross, Drop, Effect, Place
from hopback.datapath.path import step
from hopback.frames.ethernet import Frame, Vlan
from hopback.frames.mac import BROADCAST, Mac
from hopback.frames.raw import Raw
from tests.build import VETH, dev, link, links, model

MODEL = model(
    links(
        link(2, "v0@v1", "02:00:00:00:06:00", VETH),
        link(3, "v1@v0", "02:00:00:00:06:01", VETH).replace("mtu 1500", "mtu 1400"),
    )
)


def sent(name: str, size: int, tags: tuple[Vlan, ...] = ()) -> Effect:
    frame = Frame(BROADCAST, Mac(0x0200_0000_0099), tags, 0x88B5, Raw(bytes(size)))
    (effect,) = step(MODEL, {}, Place(dev(name), "out"), frame)
    return effect


@pytest.mark.parametrize("tags", [(), (Vlan(5),)], ids=["plain", "tagged"])
def test_the_far_end_takes_its_mtu_and_room_for_a_tag(tags: tuple[Vlan, ...]) -> None:
    assert isinstance(sent("v0", 1404, tags), Cross)
    lost = sent("v0", 1405, tags)
    assert isinstance(lost, Drop)
    assert (lost.why.rule, lost.dev) == ("veth-too-big", dev("v1"))
    assert [ref.cite.line for ref in lost.why.refs] == [2, 5], "both ends are cited"


def test_the_near_end_s_mtu_does_not_count() -> None:
    assert isinstance(sent("v1", 1504), Cross)

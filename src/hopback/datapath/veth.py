"""veth pairs (drivers/net/veth.c:veth_xmit, Linux 6.12)."""

from collections.abc import Mapping

from hopback.datapath.effects import Cross, Drop, Why
from hopback.datapath.size import fits, length
from hopback.frames.ethernet import Frame
from hopback.network.facts import DevId, Fact
from hopback.network.model import Device


def transmit(devices: Mapping[DevId, Device], far: Fact[DevId], frame: Frame) -> Cross | Drop:
    """Out of one end and in by the ``far`` one, if it takes a frame of that size."""
    device = devices.get(far.value)
    mtu = device.mtu if device else None
    if mtu is not None and not fits(length(frame), mtu.value):
        return Drop(Why("veth-too-big", far.refs + mtu.refs), far.value)
    return Cross(far.value, frame, Why("veth", far.refs))

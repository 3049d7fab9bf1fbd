"""mtu-drop: a bridge drops a station's largest frames, and tells nobody.

A bridge does not fragment, and sends no ICMP: what is larger than the egress port's MTU allows ends
there (net/bridge/br_forward.c:br_dev_queue_push_xmit). Small packets pass, so that connections open
and then hang.
"""

from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.checks.passage import Passage, passages
from hopback.engines.trace import End
from hopback.findings import Finding
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, format_mac
from hopback.frames.raw import Raw
from hopback.network.facts import Fact, merge_refs

NAME = "mtu-drop"

_TEST_ETHERTYPE = 0x88B5  # IEEE 802 local experimental
_LARGEST = 0xFFFF  # that a packet of IPv4 can be, whatever a damaged listing says


def check(case: Case) -> Iterator[Finding]:
    """One finding for each station and way out too small for what it may send."""
    for passage in passages(case):
        for mtu, seen in _mtus(case, passage):
            body = Raw(bytes(min(max(mtu.value, 0), _LARGEST)))
            frame = Frame(BROADCAST, passage.station.mac, (), _TEST_ETHERTYPE, body)
            end = passage.lost_leaving(frame)
            if end is not None and end.why.rule == "too-big":
                yield _finding(case, passage, end, mtu, seen)


def _mtus(case: Case, passage: Passage) -> Iterator[tuple[Fact[int], bool]]:
    """The station's MTU if we see its device; else that of its port, which it may not use."""
    station = passage.station
    device = case.network.devices.get(station.device or station.port)
    if device is not None and device.mtu is not None:
        yield device.mtu, station.device is not None


def _finding(case: Case, passage: Passage, end: End, mtu: Fact[int], seen: bool) -> Finding:
    station = passage.station
    out = passage.way_out.id
    device = case.network.devices[out]
    least = device.mtu.value if device.mtu else None
    name = (station.device or station.port).name
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning" if seen else "info",
        evidence="predicted",
        confidence="likely" if seen else "possible",
        host=station.bridge.host,
        subject=format_mac(station.mac),
        summary=(
            f"{name} may send packets of {mtu.value} bytes, and {out.name} takes {least}:"
            f" {station.bridge.name} drops the larger ones, and no ICMP tells of it."
        ),
        because=case.evidence(
            "too-big", merge_refs(mtu.refs, end.why.refs, station.refs, passage.way_out.refs)
        ),
        details={
            "bridge": station.bridge.name,
            "netns": station.bridge.netns,
            "port": station.port.name,
            "way_out": out.name,
            "station_mtu": mtu.value,
            "way_out_mtu": least,
        },
    )

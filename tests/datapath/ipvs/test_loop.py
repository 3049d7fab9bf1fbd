"""Two directors that are each other's only server, as recorded with Linux 6.1 and 6.12.

One datagram made 64 transmissions: the client's, and 63 of the directors.
"""

from typing import Any

import pytest

from hopback.datapath.effects import Cross, Deliver, Drop, Effect, Leave, Place, Send, Tell
from hopback.datapath.model import Model
from hopback.datapath.path import step
from hopback.datapath.skb import FRESH
from hopback.engines.rounds import rounds
from hopback.engines.trace import trace
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.snapshot.rows import IpvsDaemon, IpvsService, Row
from hopback.snapshot.table import Cite
from tests.build import dev, listing
from tests.datapath.ipvs.given import (
    OWN,
    OWN6,
    VIP6,
    datagram,
    given,
    host,
    marked,
    segment,
    server,
    service,
    setting,
)

_LIMIT = 500


def pair(
    *services: IpvsService,
    more: str = "",
    opens: str = "",
    rows: tuple[Row, ...] = (),
    **fields: Any,
) -> Model:
    """The directors ``a`` and ``b``, each other's only server."""
    text = host("a", more=more, opens=opens)
    text += host("b", more=more.replace("a#", "b#"), opens=opens)
    # A tunnel takes nothing from an address of its own host, so no outer packet is to have this.
    text = text.replace(f"{VIP6}/128 scope global", f"{VIP6}/128 scope global deprecated")
    tables = {}
    for own, other in (("a", "b"), ("b", "a")):
        there = (OWN6 if services[0].family == 6 else OWN)[other]
        servers = tuple(server(there, of=of, **fields) for of in services)
        tables[own] = (*services, *servers, *rows)
    return given(text, tables)


def followed(model: Model, frame: Frame) -> tuple[int, Effect]:
    """How often the frame is on the wire, and how its journey ends."""
    place, skb, times = Place(dev("eth0", "a"), "in"), FRESH, 1
    while times < _LIMIT:
        effects = step(model, {}, place, frame, skb)
        effect = [each for each in effects if not isinstance(each, Tell)][-1]
        if isinstance(effect, Send):
            place, frame, skb = Place(effect.dev, "out"), effect.frame, effect.skb
        elif isinstance(effect, Cross):
            times += effect.dev.host != place.dev.host
            place, frame, skb = Place(effect.dev, "in"), effect.frame, effect.skb
        else:
            return times, effect
    return times, effect


CASES = {
    "udp": (service(), datagram()),
    "tcp": (service("tcp", port=80), segment()),
    "udp over IPv6": (service(address=VIP6), datagram(VIP6)),
}


@pytest.mark.parametrize("case", CASES)
def test_one_packet_is_sixty_four_times_on_the_wire(case: str) -> None:
    of, frame = CASES[case]
    times, end = followed(pair(of), frame)
    assert times == 64
    assert isinstance(end, Drop)
    assert end.why.rule == "ipvs-ttl"


def test_before_4_10_it_never_ends() -> None:
    old = pair(service(), more=listing("uname -r", ["4.9.79"], "a"))
    assert followed(old, datagram())[0] == _LIMIT


def test_the_trace_sees_a_cycle() -> None:
    (found,) = trace(pair(service()), Place(dev("eth0", "a"), "in"), datagram())
    assert [end.fate for end in found.ends] == ["cycle"]


def test_by_nat_it_ends_at_the_other_directors_own_address() -> None:
    times, end = followed(pair(service(), method="masq"), datagram())
    assert times == 2
    assert not isinstance(end, Drop | Leave)


def test_by_nat_it_goes_on_where_both_balance_their_own_addresses() -> None:
    text = host("a") + host("b")
    tables = {}
    for own, other in (("a", "b"), ("b", "a")):
        both = (service(), service(address=OWN[own]))
        tables[own] = (*both, *(server(OWN[other], "masq", of=of) for of in both))
    times, end = followed(given(text, tables), datagram())
    assert (times, isinstance(end, Drop)) == (64, True)


RULESET = """
table ip marking {
    chain all {
        type filter hook prerouting priority mangle; policy accept;
        udp dport 5000 meta mark set 0x00000007
    }
}
"""


def test_by_nat_it_goes_on_where_both_balance_by_a_mark() -> None:
    both = marked(7)
    more = listing("nft list ruleset", RULESET.strip().splitlines(), "a")
    times, end = followed(pair(both, more=more, method="masq", server_port=0), datagram())
    assert (times, isinstance(end, Drop)) == (64, True)


BACKUP = IpvsDaemon(cite=Cite(1000, 60), state="backup", dev="eth0")


@pytest.mark.parametrize(
    ("rows", "times"),
    [
        ((), 64),
        ((setting("backup_only", 1),), 64),
        ((setting("backup_only", 0), BACKUP), 64),
        ((setting("backup_only", 1), BACKUP), 2),
    ],
)
def test_only_a_backup_that_is_one_stops_it(rows: tuple[Row, ...], times: int) -> None:
    one, other = service(), server(OWN["b"])
    back = server(OWN["a"])
    model = given(host("a") + host("b"), {"a": (one, other), "b": (one, back, *rows)})
    assert followed(model, datagram())[0] == times


@pytest.mark.parametrize("ttl", [1, 2, 64, 255])
def test_it_is_as_often_on_the_wire_as_its_ttl_says(ttl: int) -> None:
    assert followed(pair(service()), datagram(ttl=ttl))[0] == ttl


HEAD = "<NOARP,UP,LOWER_UP> mtu 1480 qdisc noqueue state UNKNOWN mode DEFAULT group default"
TUNL0 = (
    f"4: tunl0@NONE: {HEAD}\n    link/ipip 0.0.0.0 brd 0.0.0.0\n"
    "    ipip any remote any local any ttl inherit nopmtudisc\n"
)
IP6TNL0 = (
    f"5: ip6tnl0@NONE: {HEAD}\n    link/tunnel6 :: brd ::\n"
    "    ip6tnl ip6ip6 remote any local any hoplimit inherit encaplimit 0 tclass 0x00\n"
)
SETTINGS = [f"net.ipv4.conf.{name}.rp_filter = 0" for name in ("all", "tunl0")]
LAX = listing("sysctl net.ipv4.conf", SETTINGS, "a")


@pytest.mark.parametrize(
    ("of", "device", "frame"),
    [(service(), TUNL0, datagram()), (service(address=VIP6), IP6TNL0, datagram(VIP6))],
)
def test_through_tunnels_it_is_as_often_on_the_wire(
    of: IpvsService, device: str, frame: Frame
) -> None:
    times, end = followed(pair(of, opens=device, more=LAX, method="tunnel"), frame)
    assert (times, isinstance(end, Drop)) == (64, True)
    (cycle,) = trace(
        pair(of, opens=device, more=LAX, method="tunnel"), Place(dev("eth0", "a"), "in"), frame
    )
    assert [end.fate for end in cycle.ends] == ["cycle"]


@pytest.mark.parametrize(
    ("release", "times", "fate"), [("5.10.0", 2, Deliver), ("6.1.176", 64, Drop)]
)
def test_a_director_that_ignores_what_was_in_tunnels_ends_it(
    release: str, times: int, fate: type
) -> None:
    """Until tunnels began to forget it."""
    ignoring = (setting("ignore_tunneled", 1),)
    more = LAX + listing("uname -r", [release], "a") + listing("uname -r", [release], "b")
    model = pair(service(), opens=TUNL0, more=more, rows=ignoring, method="tunnel")
    often, end = followed(model, datagram())
    assert (often, isinstance(end, fate)) == (times, True)


@pytest.mark.parametrize("case", CASES)
def test_the_last_one_tells_the_client_from_the_virtual_address(case: str) -> None:
    of, frame = CASES[case]
    model = pair(of)
    journey = trace(model, Place(dev("eth0", "a"), "in"), frame)[0]
    end = journey.end("cycle")
    assert end is not None
    found = rounds(model, journey, end)
    assert (found.endless, found.frames) == (False, 64)
    assert found.told is not None
    packet, sent = found.told.frame.payload, frame.payload
    assert isinstance(packet, Ipv4 | Ipv6)
    assert isinstance(sent, Ipv4 | Ipv6)
    assert (found.told.dev, packet.src, packet.dst) == (dev("eth0", "b"), sent.dst, sent.src)


def test_before_4_10_there_is_no_end_to_it() -> None:
    old = listing("uname -r", ["4.9.79"], "a")
    model = pair(service(), more=old)
    journey = trace(model, Place(dev("eth0", "a"), "in"), datagram())[0]
    end = journey.end("cycle")
    assert end is not None
    found = rounds(model, journey, end)
    assert (found.endless, found.frames, found.told) == (True, None, None)

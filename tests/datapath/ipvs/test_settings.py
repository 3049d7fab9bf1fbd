"""Settings that keep IPVS out of it, and what it cannot send on."""

from typing import Any

import pytest
from msgspec.structs import replace

from hopback.datapath.effects import Deliver, Effect, Send
from hopback.datapath.skb import Skb
from hopback.frames.ipv4 import Ipv4
from hopback.frames.raw import Raw
from hopback.snapshot.rows import IpvsDaemon
from hopback.snapshot.table import Cite
from tests.build import listing
from tests.datapath.ipvs.given import (
    OWN,
    asked,
    at,
    datagram,
    director,
    dropped,
    host,
    marked,
    sent,
    server,
    service,
    setting,
)

BACKUP = IpvsDaemon(cite=Cite(1000, 60), state="backup", dev="eth0")
MASTER = IpvsDaemon(cite=Cite(1000, 61), state="master", dev="eth0")
ON, OFF = setting("backup_only", 1), setting("backup_only", 0)


def outcome(*more: Any, complete: bool = True, text: str | None = None) -> tuple[Effect, ...]:
    model = director(service(), server(OWN["b"]), *more, complete=complete, text=text)
    return at(model, datagram())


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ((ON, BACKUP), True),
        ((ON, BACKUP, MASTER), True),
        ((ON, MASTER), False),
        ((ON,), False),
        ((OFF, BACKUP), False),
        ((), False),
    ],
)
def test_a_backup_keeps_to_itself_only_while_its_thread_runs(
    more: tuple[Any, ...], kept: bool
) -> None:
    (effect,) = outcome(*more)
    assert isinstance(effect, Deliver if kept else Send)
    if kept and isinstance(effect, Deliver):
        assert {60, 900} <= {ref.cite.line for ref in effect.why.refs}
        assert not effect.skb.ipvs


def test_before_3_9_there_was_no_such_setting() -> None:
    old = host(more=listing("uname -r", ["3.8.0"], "a"))
    assert isinstance(outcome(ON, BACKUP, text=old)[0], Send)


@pytest.mark.parametrize("more", [(BACKUP,), (ON,)])
def test_what_no_listing_shows_of_it_is_asked(more: tuple[Any, ...]) -> None:
    question = asked(outcome(*more, complete=False)).question
    model = director(service(), server(OWN["b"]), *more, complete=False)
    (effect,) = at(model, datagram(), {question: "yes"})
    assert isinstance(effect, Deliver)


@pytest.mark.parametrize(
    ("value", "release", "left_alone"),
    [(1, "6.1.0", True), (0, "6.1.0", False), (1, "4.2.0", False)],
)
def test_what_comes_out_of_a_tunnel_may_be_left_alone(
    value: int, release: str, left_alone: bool
) -> None:
    text = host(more=listing("uname -r", [release], "a"))
    rows = (service(), server(OWN["b"]), setting("ignore_tunneled", value))
    frame = datagram()
    assert isinstance(frame.payload, Ipv4)
    wrapped = replace(frame, payload=replace(frame.payload, protocol=4, payload=Raw(bytes(40))))
    (effect,) = at(director(*rows, text=text), wrapped)
    assert isinstance(effect, Deliver)
    assert effect.skb.ipvs == left_alone


def test_a_server_nobody_can_reach() -> None:
    rows = (service(), server("203.0.113.9"))
    assert dropped(at(director(*rows), datagram())) == "ipvs-no-route"


@pytest.mark.parametrize(("on", "rule"), [(1, "ipvs-bypass"), (0, "ipvs-no-server")])
def test_without_a_server_a_cache_may_be_bypassed(on: int, rule: str) -> None:
    """A mark's service takes what is routed to the host itself without being its own."""
    mark = marked(7)
    text = host(more=MARKED)
    model = director(mark, setting("cache_bypass", on), text=text)
    effects = at(model, datagram("198.51.100.5"), skb=Skb(mark=7))
    got = sent(effects).why.rule if on else dropped(effects)
    assert got == rule


RULES = [
    "0: from all lookup local",
    "99: from all fwmark 0x7 lookup 100",
    "32766: from all lookup main",
    "32767: from all lookup default",
]
MARKED = (
    listing("ip rule show", RULES, "a")
    + listing("ip route show table 100", ["local default dev lo scope host"], "a")
    + listing("ip route show", ["default via 10.0.0.99 dev eth0"], "a")
)

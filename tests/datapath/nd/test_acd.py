"""What a station that probes an IPv4 address takes for a conflict."""

from ipaddress import IPv4Address

import pytest

from hopback.datapath.effects import Ask
from hopback.datapath.nd.acd import Conflict, Prober, heard, program_question
from hopback.frames.build import arp_probe, arp_reply, gratuitous_arp
from hopback.frames.ethernet import Frame
from hopback.frames.mac import Mac
from hopback.network.facts import DevId

ETH0 = DevId("vm", "", "eth0")
MAC, OTHER = Mac(0x0200_0000_0011), Mac(0x0200_0000_0099)
ADDRESS, ANOTHER = IPv4Address("192.0.2.50"), IPv4Address("192.0.2.51")
PROBER = Prober(ETH0, frozenset({MAC}), ADDRESS)
QUESTION = program_question(ETH0)

OWN_PROBE = arp_probe(MAC, ADDRESS)
FRAMES = {
    "own probe": OWN_PROBE,
    "foreign probe": arp_probe(OTHER, ADDRESS),
    "own reply": arp_reply(MAC, ADDRESS, MAC, IPv4Address(0)),
    "own announcement": gratuitous_arp(MAC, ADDRESS),
    "foreign reply": arp_reply(OTHER, ADDRESS, MAC, IPv4Address(0)),
}


@pytest.mark.parametrize(
    ("program", "conflicts"),
    [
        # as dhcpcd 9.4, iputils arping -D and udhcpc -a 1.35 did
        ("rfc5227", {"foreign probe", "foreign reply"}),
        ("claims", {"foreign reply"}),
        ("replies", {"own reply", "foreign reply"}),
        ("anything", set(FRAMES)),
        ("none", set()),
    ],
)
def test_what_programs_take_for_a_conflict(program: str, conflicts: set[str]) -> None:
    found = {
        name
        for name, frame in FRAMES.items()
        if any(isinstance(e, Conflict) for e in heard(PROBER, {QUESTION: program}, frame))
    }
    assert found == conflicts


def test_an_unknown_program_is_asked_about() -> None:
    assert heard(PROBER, {}, OWN_PROBE) == (Ask(QUESTION),)


@pytest.mark.parametrize("frame", [arp_probe(OTHER, ANOTHER), gratuitous_arp(OTHER, ANOTHER)])
def test_other_addresses_are_nothing_to_it(frame: Frame) -> None:
    assert heard(PROBER, {}, frame) == ()

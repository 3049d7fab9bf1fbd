"""Duplicate detection step by step; every cell is compared in tests/kernel/test_dad_model.py."""

from ipaddress import IPv6Address

import pytest

from hopback.datapath.effects import Ask, Drop, Log, Send
from hopback.datapath.kernel import behaviour_of
from hopback.datapath.nd.dad import begin, enhanced_question, work
from hopback.datapath.nd.effects import Alter, Arm, Disable, Form, HostEffect, applied
from hopback.datapath.nd.receive import receive
from hopback.datapath.nd.state import SECOND, Interface, Own, Settings
from hopback.frames.build import dad_ns, link_local, na
from hopback.frames.ethernet import Frame
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import Mac
from hopback.frames.nd import Ns
from hopback.network.facts import DevId
from tests.build import listing, pasted

ETH0 = DevId("vm", "", "eth0")
MAC, OTHER = Mac(0x0200_0000_0011), Mac(0x0200_0000_0099)
OWN = link_local(MAC)
LINK_LOCAL, PLAIN = Own(OWN), Settings()
NONCE = b"\1\2\3\4\5\6"


def detecting(
    settings: Settings = PLAIN, own: Own = LINK_LOCAL, release: str | None = None
) -> tuple[Interface, Frame]:
    """A station that has just sent its probe, and the probe."""
    station = Interface(ETH0, MAC, settings, kernel=behaviour_of(release))
    station = after(station, *begin(station, {}, own, NONCE))
    effects = work(station, own.address)
    (probe,) = (e.frame for e in effects if isinstance(e, Send))
    return after(station, *effects), probe


def after(station: Interface, *effects: HostEffect) -> Interface:
    for effect in effects:
        station = applied(station, effect)
    return station


def rules(effects: tuple[HostEffect, ...]) -> set[str]:
    return {e.why.rule for e in effects if isinstance(e, Drop | Log | Send | Alter | Disable)}


def test_the_looped_probe_is_known_by_its_nonce() -> None:
    station, probe = detecting()
    assert rules(receive(station, {}, probe, "multicast")) == {"dad-nonce"}
    again = after(station, *receive(station, {}, probe, "multicast"))
    assert again.addresses[OWN].phase == "tentative"


def test_without_a_nonce_the_looped_probe_fails_the_address() -> None:
    station, probe = detecting(Settings(enhanced=False))
    effects = receive(station, {}, probe, "multicast")
    assert rules(effects) == {"dad-failed", "dad-kept"}
    assert after(station, *effects).addresses[OWN].phase == "dadfailed"


def test_no_nonce_protects_from_a_looped_advertisement() -> None:
    station, _ = detecting()
    effects = receive(station, {}, na(MAC, OWN), "multicast")
    assert after(station, *effects).addresses[OWN].phase == "dadfailed"


def test_after_detection_a_looped_probe_is_answered_and_its_answer_only_logged() -> None:
    station, probe = detecting()
    station = after(station, *work(station, OWN))
    assert station.addresses[OWN].phase == "preferred"
    (answer,) = receive(station, {}, probe, "multicast")
    assert isinstance(answer, Send)
    (log,) = receive(station, {}, answer.frame, "multicast")
    assert isinstance(log, Log)
    assert log.text == f"ICMPv6: NA: 02:00:00:00:00:11 advertised our address {OWN} on eth0!"


def test_probes_are_as_many_and_as_far_apart_as_told() -> None:
    settings = Settings(transmits=3, retrans=SECOND // 5, delay=0)
    station = Interface(ETH0, MAC, settings)
    waits, probes = [], 0
    effects = begin(station, {}, Own(OWN), NONCE)
    while any(isinstance(e, Arm) for e in effects):
        waits += [e.most for e in effects if isinstance(e, Arm)]
        station = after(station, *effects)
        effects = work(station, OWN)
        probes += sum(isinstance(e, Send) and _is_probe(e.frame) for e in effects)
    assert (waits, probes) == ([0] + [SECOND // 5] * 3, 3)


def _is_probe(frame: Frame) -> bool:
    return isinstance(frame.payload, Ipv6) and isinstance(frame.payload.payload, Ns)


def test_an_unknown_kernel_is_asked_about_when_its_own_probe_is_back() -> None:
    station, probe = detecting(Settings(enhanced=None))
    question = enhanced_question(ETH0)
    assert receive(station, {}, probe, "multicast") == (Ask(question),)
    assert rules(receive(station, {question: "yes"}, probe, "multicast")) == {"dad-nonce"}
    effects = receive(station, {question: "no"}, probe, "multicast")
    assert after(station, *effects).addresses[OWN].phase == "dadfailed"


def test_an_unknown_kernel_need_not_be_asked_about_another_s_probe() -> None:
    station, _ = detecting(Settings(enhanced=None))
    effects = receive(station, {}, dad_ns(OTHER, OWN), "multicast")
    assert after(station, *effects).addresses[OWN].phase == "dadfailed"


def test_an_advertised_address_is_deleted_and_a_stable_one_followed_by_another() -> None:
    own = Own(IPv6Address("2001:db8::5"), permanent=False, stable=True)
    station, _ = detecting(Settings(enhanced=False, idgen_retries=1), own)
    effects = receive(station, {}, dad_ns(OTHER, own.address), "multicast")
    (another,) = (e for e in effects if isinstance(e, Form))
    assert (another.own.retries, another.delay) == (1, SECOND)
    assert own.address not in after(station, *effects).addresses


@pytest.mark.parametrize(
    ("release", "text", "used_by"),
    [
        (None, f"IPv6: eth0: IPv6 duplicate address {OWN} used by 02:00:00:00:00:99 detected!", 1),
        ("4.9.0", f"IPv6: eth0: IPv6 duplicate address {OWN} detected!", 0),
        ("3.2.0", f"eth0: IPv6 duplicate address {OWN} detected!", 0),
    ],
)
def test_the_log_is_the_kernels_and_the_parser_reads_it(
    release: str | None, text: str, used_by: int
) -> None:
    station, _ = detecting(release=release)
    effects = receive(station, {}, dad_ns(OTHER, OWN), "multicast")
    (log,) = (e for e in effects if isinstance(e, Log))
    assert log.text == text
    ((row,),) = (snapshot.dad_events.rows for snapshot in pasted(listing("dmesg", [log.text])))
    assert row.used_by == (OTHER if used_by else None)


def test_accept_dad_2_switches_ipv6_off() -> None:
    station, _ = detecting(Settings(accept_dad=2))
    effects = receive(station, {}, dad_ns(OTHER, OWN), "multicast")
    assert [e.text for e in effects if isinstance(e, Log)][1:] == [
        "IPv6: eth0: IPv6 being disabled!"
    ]
    gone = after(station, *effects)
    assert gone.settings.disabled
    assert not gone.addresses
    assert rules(receive(gone, {}, dad_ns(OTHER, OWN), "multicast")) == {"ipv6-disabled"}

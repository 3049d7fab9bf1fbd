"""hairpin-missing: the packet or its answer has an address that NAT should have changed."""

import pytest

from tests.build import cited, listing, of, only, report

NAME = "hairpin-missing"

HEAD = (
    "15:36:08.0{at} 02:00:00:00:00:0{a} > 02:00:00:00:00:0{b}, ethertype IPv4 (0x0800), length 98:"
    " (tos 0x0, ttl 64, id 485, offset 0, flags [DF], proto ICMP (1), length 84)"
)
ECHO = "    {source} > {target}: ICMP echo request, id 21, seq {seq}, length 64"
SYN = "{at} IP 192.0.2.19.12346 > {asked}: Flags [S], seq {seq}, win 29200, length 0"
SYN_ACK = "{at} IP {by} > 192.0.2.19.12346: Flags [S.], seq 7, ack {ack}, win 28960, length 0"


def echoes(source: str, target: str, seq: int = 1) -> list[str]:
    return [
        HEAD.format(at="60263", a=1, b=2),
        ECHO.format(source="192.0.2.10", target="198.51.100.7", seq=1),
        HEAD.format(at="60500", a=2, b=1),
        ECHO.format(source=source, target=target, seq=seq),
    ]


def handshake(by: str, ack: int = 1001) -> str:
    lines = [
        SYN.format(at="21:57:03.253065", asked="198.51.100.7.443", seq=1000),
        SYN_ACK.format(at="21:57:03.253137", by=by, ack=ack),
    ]
    return listing("tcpdump -n tcp", lines)


def test_the_packet_comes_back_from_itself() -> None:
    ping = (
        "ping -c 5 198.51.100.7",
        ["5 packets transmitted, 0 received, 100% packet loss, time 4091ms"],
    )
    shown = echoes("192.0.2.10", "192.0.2.10")
    given = report(listing(*ping) + listing("tcpdump -n -e -v -i eth0", shown))
    finding = only(given, NAME)
    assert (finding.subject, finding.evidence) == ("192.0.2.10", "observed")
    assert finding.details == {"asked": "198.51.100.7", "answered_by": None}
    assert len(cited(finding)) == 2
    assert given.verdict == "clear", "the ping without a reply is explained"


@pytest.mark.parametrize(
    ("source", "target", "seq"),
    [
        ("192.0.2.10", "192.0.2.10", 2),  # another packet
        ("192.0.2.11", "192.0.2.11", 1),  # another station
        ("192.0.2.10", "192.0.2.12", 1),  # translated, and on its way
    ],
)
def test_packets_that_show_nothing(source: str, target: str, seq: int) -> None:
    shown = listing("tcpdump -n -e -v -i eth0", echoes(source, target, seq))
    assert not of(report(shown), NAME)


def test_an_answer_from_somebody_who_was_not_asked() -> None:
    finding = only(report(handshake("192.0.2.15.12345")), NAME)
    assert finding.details == {"asked": "198.51.100.7.443", "answered_by": "192.0.2.15.12345"}


def test_answers_that_fit() -> None:
    assert not of(report(handshake("198.51.100.7.443")), NAME)
    assert not of(report(handshake("192.0.2.15.12345", ack=5)), NAME)


def kubelet(*modes: str) -> str:
    head = "I0611 10:00:00.000001    1234 docker_service.go:258]"
    lines = [f'{head} Hairpin mode set to "{mode}"' for mode in modes]
    return listing("journalctl -u kubelet", lines)


def sysfs(bridge: str, *values: str) -> str:
    return listing(f"cat /sys/class/net/{bridge}/brif/veth*/hairpin_mode", list(values))


def test_kubelet_says_hairpin_and_no_port_has_it() -> None:
    given = kubelet("hairpin-veth") + sysfs("docker0", "0", "0")
    finding = only(report(given), NAME)
    assert (finding.subject, finding.group) == ("docker0", "other-fault")
    assert "all 2 that are shown" in finding.summary
    assert [e.text for e in finding.because][1:] == ["0", "0"]
    assert finding.details == {"asked": None, "answered_by": None}
    assert report(given).verdict == "clear"


def test_ports_by_name_tell_too() -> None:
    path = "/sys/class/net/cbr0/brif/veth1a/hairpin_mode"
    named = listing(f"grep . {path}", [f"{path}:0"])
    assert "the one that is shown" in only(report(kubelet("hairpin-veth") + named), NAME).summary


@pytest.mark.parametrize(
    "given",
    [
        kubelet("promiscuous-bridge") + sysfs("cbr0", "0", "0"),
        kubelet("hairpin-veth", "none") + sysfs("docker0", "0", "0"),
        kubelet("hairpin-veth") + sysfs("docker0", "0", "1"),
        kubelet("hairpin-veth") + sysfs("virbr0", "0", "0"),
        kubelet("hairpin-veth") + sysfs("cni0", "0"),
        kubelet("hairpin-veth"),
        sysfs("docker0", "0", "0"),
    ],
)
def test_modes_and_ports_that_agree_or_are_not_kubelets(given: str) -> None:
    assert not of(report(given), NAME)

"""Sets of ipset that rules of iptables look into."""

import pytest

from hopback.datapath.effects import Ask
from hopback.datapath.netfilter.packet import Passed, Seen, Stopped
from hopback.datapath.netfilter.traverse import traverse
from hopback.frames import icmp
from hopback.frames.icmp import Icmp
from hopback.frames.udp import Udp
from hopback.snapshot.rows import Element, Field, FilterSet, Match, Operator, Span, Verdict
from tests.datapath.netfilter.ruling import A, chain, cite, ipv4, ruleset

SOURCE, TARGET = 0xC0000201, 0xC0000202  # of ``ipv4()``
UDP_53 = 17 << 16 | 53


def is_dropped(
    kind: str, element: Element, *ends: str, op: Operator = "==", ping: bool = False
) -> bool:
    step = Match(tuple(map(Field, ends)), op=op, set="s")
    rows = chain("FORWARD", [step, Verdict("drop")], family="ip", hook="forward", backend="legacy")
    entry = FilterSet(cite=cite(), backend="ipset", name="s", kind=kind, elements=(element,))
    payload = Icmp(icmp.ECHO_REQUEST) if ping else Udp(1000, 53)
    frame = ipv4(payload, protocol=1 if ping else 17)
    outcome = traverse(ruleset(rows, [entry]), {}, Seen("ip", "forward", frame, indev="eth0"))
    assert isinstance(outcome, Stopped | Passed)
    return isinstance(outcome, Stopped)


@pytest.mark.parametrize(
    ("kind", "element", "ends", "dropped"),
    [
        ("hash:ip", (SOURCE,), ["src"], True),
        ("hash:ip", (SOURCE,), ["dst"], False),
        ("hash:net", (Span(SOURCE & ~0xFF, SOURCE | 0xFF),), ["dst"], True),
        ("hash:ip,port", (TARGET, UDP_53), ["dst", "dst"], True),
        ("hash:ip,port", (TARGET, 6 << 16 | 53), ["dst", "dst"], False),
        ("hash:ip,port,ip", (SOURCE, UDP_53, TARGET), ["src", "dst", "dst"], True),
        ("bitmap:port", (53,), ["dst"], True),
        ("hash:mac", (int(A),), ["src"], True),
        ("hash:net,iface", (SOURCE, "eth0"), ["src", "src"], True),
        ("hash:net,iface", (SOURCE, "eth0"), ["src", "dst"], False),
    ],
)
def test_kinds(kind: str, element: Element, ends: list[str], dropped: bool) -> None:
    assert is_dropped(kind, element, *ends) is dropped
    assert is_dropped(kind, element, *ends, op="!=") is not dropped


def test_icmp_has_type_and_code_for_a_port() -> None:
    assert is_dropped("hash:ip,port", (SOURCE, 1 << 16 | 8 << 8), "src", "dst", ping=True)
    assert not is_dropped("bitmap:port", (0x0800,), "dst", ping=True)
    assert is_dropped("bitmap:port", (0x0800,), "dst", op="!=", ping=True)


def test_a_set_of_another_kind_is_a_question() -> None:
    step = Match((Field("src"),), set="s")
    rows = chain("FORWARD", [step, Verdict("drop")], family="ip", hook="forward", backend="legacy")
    row = FilterSet(cite=cite(), backend="ipset", name="s", kind="list:set", elements=(("t",),))
    outcome = traverse(ruleset(rows, [row]), {}, Seen("ip", "forward", ipv4()))
    assert isinstance(outcome, Ask)

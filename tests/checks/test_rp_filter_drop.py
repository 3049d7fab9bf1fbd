"""rp-filter-drop: the kernel's own words, and rules that drop what would be answered elsewhere."""

import pytest

from tests.build import cited, dmesg, listing, of, only, own_address, report

NAME = "rp-filter-drop"

MARTIAN = "IPv4: martian source 192.0.2.255 from 198.51.100.7, on dev br0"
RULE = "-A PREROUTING -m rpfilter {}-j DROP"


def test_what_the_kernel_logged() -> None:
    given = report(dmesg(f"[62251.236437] {MARTIAN}", f"[62252.236437] {MARTIAN}"))
    finding = only(given, NAME)
    assert (finding.subject, finding.evidence, finding.confidence) == ("br0", "reported", "likely")
    assert finding.details["source"] == "198.51.100.7"
    assert len(cited(finding)) == 2
    assert given.verdict == "clear"


def test_a_rule_that_was_shown() -> None:
    finding = only(report(listing("iptables -t raw -S", [RULE.format("--invert ")])), NAME)
    assert (finding.subject, finding.confidence) == ("raw PREROUTING", "possible")
    assert finding.details["told_by"] == "rule"


@pytest.mark.parametrize(
    "line",
    [
        RULE.format(""),  # drops what would be answered the same way: nobody's reverse-path filter
        "-A PREROUTING -m rpfilter --invert -j LOG",
    ],
)
def test_rules_that_do_something_else(line: str) -> None:
    assert not of(report(listing("iptables -t raw -S", [line])), NAME)


def test_a_rule_that_never_dropped_anything() -> None:
    lines = ["*raw", ":PREROUTING ACCEPT [9:900]", f"[0:0] {RULE.format('--invert ')}", "COMMIT"]
    assert not of(report(listing("iptables-save -c -t raw", lines)), NAME)


def test_the_host_s_own_frames_are_another_matter() -> None:
    assert not of(report(dmesg(own_address("eth0", "0c:c4:7a:00:00:01"))), NAME)

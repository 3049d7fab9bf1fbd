"""stp-delay: a port was still listening or learning when it was needed."""

import pytest

from tests.build import HYPERVISOR, dmesg, links, of, only, own_address, report

NAME = "stp-delay"


def waiting(state: str, port: str = "vnet0", host: str = "kvm1") -> str:
    lines = HYPERVISOR.splitlines()[1:]
    at = next(i for i, line in enumerate(lines) if f" {port}:" in line)
    changed = [
        line.replace("forwarding", state) if at <= i < at + 4 else line
        for i, line in enumerate(lines)
    ]
    return links(*changed, host=host)


@pytest.mark.parametrize("state", ["listening", "learning"])
def test_a_port_that_waits(state: str) -> None:
    given = report(waiting(state))
    finding = only(given, NAME)
    assert (finding.group, finding.severity, finding.subject) == ("other-fault", "warning", "vnet0")
    assert finding.details["state"] == state
    assert finding.details["forward_delay_seconds"] == 15
    assert "up to 30 s" in finding.summary
    assert given.verdict == "clear"


def test_without_the_bridge_s_settings_the_time_is_not_told() -> None:
    finding = only(report(waiting("listening").replace("forward_delay 1500", "")), NAME)
    assert finding.details["forward_delay_seconds"] is None


@pytest.mark.parametrize("state", ["forwarding", "blocking", "disabled"])
def test_a_port_that_does_not_wait(state: str) -> None:
    assert not of(report(waiting(state)), NAME)


def test_a_port_that_hears_the_bridge_itself_waits_for_another_reason() -> None:
    echo = own_address("eth0", "0c:c4:7a:00:00:01")
    assert not of(report(waiting("listening", "eth0") + dmesg(echo)), NAME)
    assert of(report(waiting("listening", "eth0") + dmesg(echo, host="kvm2")), NAME)

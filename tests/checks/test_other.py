"""other: a bridge whose own address falls, because it is the lowest of its ports'."""

import pytest

from tests.build import listing, of, only, report

NAME = "other"
MACS = ("8e:00:5e:00:53:01", "6e:00:5e:00:53:02", "1a:00:5e:00:53:03")


def readings(name: str, *macs: str, form: str = "        ether {mac}  txqueuelen 1000") -> str:
    lines = [form.format(mac=mac, name=name) for mac in macs]
    return listing(f"while :; do ifconfig {name} | grep -e ether -e HWaddr; done", lines)


@pytest.mark.parametrize(
    "form",
    [
        "        ether {mac}  txqueuelen 1000  (Ethernet)",
        "10:00:00.123 HWaddr {mac}",
        "{name}       Link encap:Ethernet  HWaddr {mac}",
    ],
)
def test_lower_and_lower(form: str) -> None:
    given = report(readings("br0", MACS[0], *MACS, form=form))
    finding = only(given, NAME)
    assert (finding.subject, finding.group, given.verdict) == ("br0", "other-fault", "clear")
    assert finding.details == {"fault": "bridge-address", "netns": "", "addresses": list(MACS)}
    assert len(finding.because) == len(MACS)


@pytest.mark.parametrize(
    "given",
    [
        readings("br0", *MACS[:2]),
        readings("br0", MACS[0], MACS[2], MACS[1]),
        readings("br0", *reversed(MACS)),
        readings("wlan0", *MACS),
        listing("ip -br -d link", []) + readings("bond0", *MACS),
    ],
)
def test_what_has_other_reasons(given: str) -> None:
    assert not of(report(given), NAME)


def test_a_device_of_another_kind() -> None:
    bond = (
        "3: br0: <BROADCAST,UP> mtu 1500\n    link/ether 8e:00:5e:00:53:01 brd ff:ff:ff:ff:ff:ff\n"
    )
    shown = listing("ip -d link show br0", [*bond.splitlines(), "    bond mode active-backup"])
    assert not of(report(shown + readings("br0", *MACS)), NAME)

"""own-source: the kernel received a frame with its own address as source."""

from tests.build import (
    GUEST0,
    HYPERVISOR,
    TWIN0,
    checks,
    cited,
    dmesg,
    domiflist,
    links,
    of,
    only,
    own_address,
    report,
)

NAME = "own-source"
HOST = "0c:c4:7a:00:00:01"


def test_the_kernel_s_message() -> None:
    finding = only(report(HYPERVISOR + dmesg(own_address("eth0", HOST))), NAME)
    assert (finding.group, finding.severity, finding.subject) == ("symptom", "warning", "eth0")
    assert finding.details["bridge"] == "br0"
    assert finding.details["addresses"] == [HOST]
    assert finding.details["repeated"] is False
    assert finding.details["listed_port"] == "eth0"
    assert any("own address as source" in line for line in cited(finding))


def test_one_finding_for_a_port_however_often_it_is_said() -> None:
    finding = only(report(dmesg(*[own_address("eth0", HOST)] * 9)), NAME)
    assert finding.details["repeated"] is True
    assert len(finding.because) == 3


def test_a_virtual_router_s_address_is_not_the_host_s_alone() -> None:
    """An anycast gateway bears it on every endpoint: two ports that hear it are no ring."""
    heard = [own_address(port, "00:00:5e:00:01:0a") for port in ("vx10", "vx20")]
    given = report(dmesg(*heard))
    assert (checks(given), given.verdict) == ({NAME}, "undecided")
    assert given.findings[0].details["virtual_router"] is True
    mixed = report(dmesg(own_address("eth0", "00:00:5e:00:01:0a"), own_address("eth0", HOST)))
    assert mixed.verdict == "comes-back"


def test_only_the_address_of_a_nic_may_be_its_controller_s() -> None:
    def shared(mac: str) -> bool:
        finding = only(report(dmesg(own_address("eth0", mac))), NAME)
        return any("management controller" in other for other in finding.alternatives)

    assert shared(HOST)
    assert not shared("62:e9:db:a0:90:f3")


def test_the_oldest_form_names_no_bridge_and_no_address() -> None:
    text = dmesg("eth0: received packet with own address as source address")
    finding = only(report(text), NAME)
    assert (finding.details["bridge"], finding.details["addresses"]) == (None, [])


def test_a_log_that_names_another_port_than_the_listing() -> None:
    finding = only(report(HYPERVISOR + dmesg(own_address("eth0.100", HOST))), NAME)
    assert finding.details["listed_port"] == "eth0"
    assert "has eth0, not eth0.100" in finding.summary


def test_a_guest_that_bears_its_tap_s_address_explains_it() -> None:
    text = HYPERVISOR + domiflist(f"vnet0 br0 {TWIN0}") + dmesg(own_address("vnet0", TWIN0))
    given = report(text)
    assert only(given, NAME).details["station_uses_it"] is True
    assert checks(given) == {NAME, "duplicate-mac"}
    assert given.verdict == "clear"


def test_the_tap_s_own_address_heard_on_it_is_the_guest_s_doing() -> None:
    """The host sends with the bridge's address: no frame of its own bears a tap's."""
    text = HYPERVISOR + domiflist(f"vnet0 br0 {GUEST0}") + dmesg(own_address("vnet0", TWIN0))
    given = report(text)
    assert only(given, NAME).details["station_uses_it"] is True
    assert "uplink-echo" not in checks(given)


def test_a_bridge_s_own_address_from_a_guest_did_come_back() -> None:
    given = report(HYPERVISOR + dmesg(own_address("vnet0", HOST)))
    assert only(given, NAME).details["station_uses_it"] is False
    assert only(given, "uplink-echo").subject == "vnet0"
    assert "the guest behind vnet0" in given.sentence


def test_a_bridge_that_took_the_tap_s_address_sends_with_it() -> None:
    text = links(*(line.replace(HOST, TWIN0) for line in HYPERVISOR.splitlines()[1:]))
    given = report(text + dmesg(own_address("vnet0", TWIN0)))
    assert only(given, NAME).details["station_uses_it"] is False


def test_an_old_kernel_does_not_say_which_address_it_heard() -> None:
    text = HYPERVISOR + domiflist(f"vnet0 br0 {GUEST0}")
    text += dmesg("br0: received packet on vnet0 with own address as source address")
    assert "uplink-echo" not in checks(report(text))


def test_silent_without_the_message() -> None:
    assert not of(report(HYPERVISOR + dmesg("br0: port 1(eth0) entered forwarding state")), NAME)


def test_a_bridge_that_is_gone_is_history_not_news() -> None:
    """Only a list of all devices tells that; the log of a live host is full of such bridges."""
    log = dmesg(own_address("eth9", HOST).replace("br0", "old0"))
    finding = only(report(HYPERVISOR + log), NAME)
    assert (finding.severity, finding.details["gone"]) == ("info", True)
    assert "not there any more" in finding.summary
    assert checks(report(HYPERVISOR + log)) == {NAME, "healthy"}
    assert only(report(log), NAME).details["gone"] is False

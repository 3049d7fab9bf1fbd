"""uplink-echo: frames that left by an uplink come in again on it."""

import pytest

from tests.build import (
    GUEST0,
    HYPERVISOR,
    LINKS,
    RING,
    TWIN0,
    checks,
    dmesg,
    fdb,
    links,
    listing,
    monitor,
    of,
    only,
    own_address,
    report,
)

NAME = "uplink-echo"
HOST = "0c:c4:7a:00:00:01"
STRANGER = "52:54:00:00:00:99"
OWN = f"{TWIN0} dev vnet0 master br0 permanent"


def entry(port: str, age: int) -> str:
    return fdb(f"{GUEST0} dev {port} used {age}/{age} master br0", OWN)


def test_a_fresh_entry_on_the_uplink_while_the_station_is_at_home() -> None:
    given = report(HYPERVISOR + entry("eth0", 3))
    finding = only(given, NAME)
    assert (finding.group, finding.severity, finding.confidence) == (
        "comes-back",
        "error",
        "likely",
    )
    assert (finding.subject, finding.details["bridge"]) == ("eth0", "br0")
    assert finding.details["stations"] == [GUEST0]
    assert finding.explains == ("fdb-misplaced",)
    assert given.verdict == "comes-back"
    assert given.sentence == finding.summary


@pytest.mark.parametrize(("age", "confidence"), [(60, "likely"), (61, "possible")])
def test_an_entry_that_nothing_refreshes_is_no_more_than_possible(
    age: int, confidence: str
) -> None:
    given = report(HYPERVISOR + entry("eth0", age))
    assert only(given, NAME).confidence == confidence
    assert given.verdict == ("comes-back" if confidence == "likely" else "undecided")


def test_the_kernel_s_own_word_on_the_uplink() -> None:
    given = report(HYPERVISOR + dmesg(own_address("eth0", HOST)))
    assert only(given, NAME).explains == ("own-source",)
    assert given.verdict == "comes-back"


def test_one_cause_for_all_symptoms_of_a_bridge() -> None:
    text = HYPERVISOR + entry("eth0", 200) + dmesg(own_address("eth0", HOST))
    finding = only(report(text), NAME)
    assert finding.confidence == "likely"
    assert set(finding.explains) == {"fdb-misplaced", "own-source"}


def test_a_move_names_the_port_that_leads_out() -> None:
    lines = [f"{STRANGER} dev {port} master br0" for port in ("eth0", "vnet1", "eth0")]
    assert only(report(HYPERVISOR + monitor(*lines)), NAME).subject == "eth0"


def test_moves_between_guests_point_to_no_uplink() -> None:
    lines = [f"{STRANGER} dev {port} master br0" for port in ("vnet0", "vnet1", "vnet0")]
    assert not of(report(HYPERVISOR + monitor(*lines)), NAME)


def test_an_entry_on_another_guest_s_port_points_to_no_uplink() -> None:
    given = report(HYPERVISOR + entry("vnet1", 1))
    assert checks(given) == {"fdb-misplaced"}
    assert given.verdict == "undecided"


def test_a_clone_on_another_host_explains_the_entry() -> None:
    other = [line.replace(HOST, "0c:c4:7a:00:00:02") for line in LINKS]
    clone = links(*other, host="kvm2")
    clone += fdb(f"{GUEST0} dev vnet0 master br0", OWN, host="kvm2")
    given = report(HYPERVISOR + entry("eth0", 3) + clone)
    assert checks(given) == {"fdb-misplaced", "duplicate-mac"}
    assert given.verdict == "clear"
    assert "used twice" in given.sentence


def test_a_ring_in_sight_is_not_put_down_to_the_uplink() -> None:
    text = links(*RING)
    given = report(text + dmesg(own_address("a0", "02:00:00:00:0a:01")))
    assert only(given, "bridge-loop").confidence == "certain"
    assert not of(given, NAME)


# --- captures ------------------------------------------------------------------------------------

ADDRESS = listing(
    "ip addr show dev eth0",
    [
        "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default",
        f"    link/ether {HOST} brd ff:ff:ff:ff:ff:ff",
        "    inet 192.0.2.7/24 brd 192.0.2.255 scope global eth0",
    ],
)


def packet(at: str, source: str, mac: str, number: int, way: str = "") -> str:
    return (
        f"12:00:00.{at} {way}{mac} > 0c:c4:7a:00:00:09, ethertype IPv4 (0x0800), length 98:"
        f" {source} > 192.0.2.9: ICMP echo request, id 7, seq {number}, length 64"
    )


def capture(*packets: str) -> str:
    return listing("tcpdump -e -n -i eth0", packets)


OURS = ("192.0.2.7", HOST)
FOREIGN = ("192.0.2.8", "0c:c4:7a:00:00:08")


def test_own_packets_captured_twice_foreign_ones_once() -> None:
    text = ADDRESS + capture(
        packet("000100", *OURS, 1), packet("000400", *OURS, 1), packet("000900", *FOREIGN, 1)
    )
    finding = only(report(text), NAME)
    assert (finding.evidence, finding.confidence, finding.subject) == (
        "observed",
        "likely",
        "eth0",
    )


@pytest.mark.parametrize(
    "packets",
    [
        (packet("000100", *OURS, 1), packet("000400", *OURS, 2)),
        (packet("000100", *OURS, 1), packet("900000", *OURS, 1)),
        (
            packet("000100", *OURS, 1),
            packet("000101", *OURS, 1),
            packet("000900", *FOREIGN, 1),
            packet("000901", *FOREIGN, 1),
        ),
        (packet("000100", *FOREIGN, 1), packet("000400", *FOREIGN, 1)),
    ],
    ids=["two packets", "a retransmission", "a doubled capture", "foreign ones only"],
)
def test_a_capture_that_shows_no_return(packets: tuple[str, ...]) -> None:
    assert not of(report(ADDRESS + capture(*packets)), NAME)

"""shared-identity: cloned machine-ids and client-ids, and one machine shown twice."""

import pytest

from tests.build import checks, listing, only, report

NAME = "shared-identity"
ID, OTHER = "e6" * 16, "a1" * 16
BOOT1, BOOT2 = "1" * 32, "2" * 32


def hostnamectl(host: str, machine: str = ID, boot: str | None = None, name: str = "") -> str:
    lines = [f" Static hostname: {name or host}", f"      Machine ID: {machine}"]
    return listing("hostnamectl", [*lines, *([f"         Boot ID: {boot}"] if boot else [])], host)


def test_one_id_and_two_boots() -> None:
    finding = only(report(hostnamectl("a", boot=BOOT1) + hostnamectl("b", boot=BOOT2)), NAME)
    assert (finding.confidence, finding.details["kind"]) == ("certain", "machine-id")
    assert finding.details["holders"] == ["a", "b"]


def test_without_boot_ids_it_is_likely() -> None:
    assert only(report(hostnamectl("a") + hostnamectl("b")), NAME).confidence == "likely"


@pytest.mark.parametrize(
    "text",
    [
        hostnamectl("a", boot=BOOT1) + hostnamectl("b", OTHER, BOOT2),
        hostnamectl("a", boot=BOOT1) + hostnamectl("b", boot=BOOT1),
        hostnamectl("a", boot=BOOT1) + hostnamectl("a", boot=BOOT2),
        hostnamectl("a"),
    ],
    ids=["two ids", "a container of it", "started again", "one alone"],
)
def test_look_alikes(text: str) -> None:
    assert NAME not in checks(report(text))


def leases(*lines: str) -> str:
    return listing("cat /var/lib/misc/dnsmasq.leases", lines, "gw")


CLIENT = "ff:56:50:4d:98:00:02:00:00:ab:11:25:0f:5a:37:6b:13:28:e9"


def test_two_clients_with_one_id() -> None:
    text = leases(
        f"1700000000 52:54:00:00:00:01 192.0.2.5 web1 {CLIENT}",
        f"1700000100 52:54:00:00:00:02 192.0.2.6 web2 {CLIENT}",
    )
    finding = only(report(text), NAME)
    assert (finding.subject, finding.confidence) == (CLIENT, "likely")
    assert finding.details["holders"] == ["web1 (52:54:00:00:00:01)", "web2 (52:54:00:00:00:02)"]


def test_clients_with_ids_of_their_own_and_with_none() -> None:
    text = leases(
        f"1700000000 52:54:00:00:00:01 192.0.2.5 web1 {CLIENT}",
        "1700000100 52:54:00:00:00:02 192.0.2.6 web2 01:52:54:00:00:00:02",
        "1700000200 52:54:00:00:00:03 192.0.2.7 * *",
        "1700000200 52:54:00:00:00:04 192.0.2.8 * *",
    )
    assert NAME not in checks(report(text))

"""A QEMU guest of a real libvirt whose duplicate detection its own bridge port reflects."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.libvirt.host import MAC, Guest, LibvirtHost, absent, until

LINK_LOCAL = "fe80::5054:ff:fe77:21"
NAME = "vm1"
LOG = f"guest-console-{NAME}.txt"

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif("HOPBACK_LIBVIRT" not in os.environ, reason="make test-libvirt runs it"),
]


@pytest.fixture
def host() -> Iterator[LibvirtHost]:
    assert absent() == []
    with LibvirtHost() as made:
        yield made


def reflected(host: LibvirtHost) -> Guest:
    """A guest whose address failed, because its port has hairpin on; its log is in ``LOG``."""
    guest = host.start(NAME, lambda tap: ("bridge", "link", "set", "dev", tap, "hairpin", "on"))
    until(lambda: "dadfailed" in addresses(guest), "the failure")
    (host.folder / LOG).write_text(guest.run("dmesg | grep duplicate"))
    return guest


def addresses(guest: Guest) -> str:
    return guest.run("ip -6 addr show dev eth0")


def document(host: LibvirtHost, *argv: str) -> Any:
    done = host.hopback(*argv)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["hairpin_off", "port_filter", "port_filter_nwfilter"])
def test_what_is_proved_mends_the_guest(host: LibvirtHost, name: str) -> None:
    guest = reflected(host)
    report = document(host, "check", "-j", "live", LOG)
    cause = next(f for f in report["findings"] if f["check"] == "hairpin-reflection")
    assert (report["verdict"], cause["subject"]) == ("comes-back", guest.tap)
    assert cause["details"]["station"] == MAC

    wanted = ("fix", "-j", "live", f"hairpin-reflection:{guest.tap}", "--evidence", LOG)
    applied = document(host, *wanted, "--apply", "--yes", "--fix", name)
    (record,) = applied["records"]
    assert (record["fix"], record["state"]) == (name, "pending")
    assert host.hopback("fix", "--confirm", record["id"]).returncode == 0

    assert "dadfailed" in addresses(guest), "it stays so until the guest is told"
    for line in record["afterwards"]:
        if line.startswith("ip "):
            guest.run(line)
    until(lambda: "tentative" not in addresses(guest), "the end of its duplicate detection")
    assert f"inet6 {LINK_LOCAL}/64 scope link" in addresses(guest)

    # Whoever takes it back has the fault back: it was the fix that mended it.
    assert host.hopback("fix", "--undo", record["id"]).returncode == 0
    guest.run(f"ip -6 addr del {LINK_LOCAL}/64 dev eth0")
    guest.run(f"ip -6 addr add {LINK_LOCAL}/64 dev eth0")
    until(lambda: "dadfailed" in addresses(guest), "the failure once more")

"""Who a host says it is."""

from hopback.snapshot.rows import HostIdentity, Kernel
from hopback.sources.parse import hostnamectl
from tests.sources.parse.given import facts, listing, pasted, rows

MACHINE = "0123456789abcdef0123456789abcdef"
BOOT = "fedcba9876543210fedcba9876543210"


def test_form() -> None:
    parsed = hostnamectl.parse(
        listing(
            f"""
             Static hostname: kvm1
                   Icon name: computer-server
                  Machine ID: {MACHINE}
                     Boot ID: {BOOT}
            Operating System: Debian GNU/Linux 12
                      Kernel: Linux 6.1.0-18-amd64
                Architecture: x86-64
            """
        )
    )
    assert [facts(row) for row in rows(parsed, HostIdentity)] == [
        {"hostname": "kvm1", "machine_id": MACHINE, "boot_id": BOOT}
    ]
    assert [row.release for row in rows(parsed, Kernel)] == ["6.1.0-18-amd64"]
    assert not parsed.problems


def test_one_line_a_host() -> None:
    parsed = hostnamectl.parse(
        pasted(
            f"a  Machine ID: {MACHINE}  Boot ID: {BOOT}\n"
            f"b  Machine ID: {MACHINE}  Boot ID: {MACHINE}"
        )
    )
    assert [facts(row) for row in parsed.rows] == [
        {"hostname": "a", "machine_id": MACHINE, "boot_id": BOOT},
        {"hostname": "b", "machine_id": MACHINE, "boot_id": MACHINE},
    ]


def test_lone_ids() -> None:
    parsed = hostnamectl.parse(listing(MACHINE, "cat /etc/machine-id"))
    assert [facts(row) for row in parsed.rows] == [{"machine_id": MACHINE}]
    dashed = "fedcba98-7654-3210-fedc-ba9876543210"
    parsed = hostnamectl.parse(listing(dashed, "cat /proc/sys/kernel/random/boot_id"))
    assert [facts(row) for row in parsed.rows] == [{"boot_id": BOOT}]


def test_hostname_prints_a_name_or_an_address() -> None:
    parsed = hostnamectl.parse(listing("node1", "hostname"))
    assert [facts(row) for row in parsed.rows] == [{"hostname": "node1"}]
    assert not hostnamectl.parse(pasted("192.0.2.1", "hostname -i")).rows


def test_redacted_id_is_left_out() -> None:
    parsed = hostnamectl.parse(listing("Static hostname: kvm1\n     Machine ID: xxxxxxxx"))
    assert [facts(row) for row in parsed.rows] == [{"hostname": "kvm1"}]

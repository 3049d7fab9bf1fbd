"""arp_silence: what it can silence, and what it cannot."""

from hopback.checks.diagnose import diagnose
from hopback.findings import Fix
from hopback.remedies.attach import with_remedies
from tests.build import listing, pasted
from tests.datapath.ipvs.given import OWN, VIP, host
from tests.remedies.test_balanced import service

KEYS = [
    f"net.ipv4.conf.{dev}.arp_{word}" for dev in ("all", "eth0") for word in ("ignore", "announce")
]
OFF = listing(f"sysctl {' '.join(KEYS)}", [f"{key} = 0" for key in KEYS], "b")
ON_LO = (
    host("b")
    .replace(f"    inet {VIP}/32 scope global eth0\n", "")
    .replace(
        "    inet 127.0.0.1/8 scope host lo",
        f"    inet 127.0.0.1/8 scope host lo\n    inet {VIP}/32 scope global lo",
    )
)


def fix_of(text: str) -> Fix:
    snapshots = pasted(text)
    report = with_remedies(snapshots, diagnose(snapshots))
    (fix,) = (fix for f in report.findings if f.check == "ipvs-arp-leak" for fix in f.fixes)
    return fix


def test_the_address_on_lo_is_silenced() -> None:
    fix = fix_of(host("a") + ON_LO + service("a", OWN["b"]) + OFF)
    assert (fix.name, fix.host, fix.proved) == ("arp_silence", "b", True)
    assert fix.commands == (
        "sysctl -w net.ipv4.conf.all.arp_ignore=1",
        "sysctl -w net.ipv4.conf.all.arp_announce=2",
    )
    assert fix.undo == (
        "sysctl -w net.ipv4.conf.all.arp_ignore=0",
        "sysctl -w net.ipv4.conf.all.arp_announce=0",
    )


def test_settings_that_were_not_shown_may_be_right() -> None:
    snapshots = pasted(host("a") + ON_LO + service("a", OWN["b"]))
    found = with_remedies(snapshots, diagnose(snapshots)).findings
    (leak,) = (finding for finding in found if finding.check == "ipvs-arp-leak")
    assert (leak.confidence, leak.fixes) == ("possible", ())


def test_the_address_on_the_wire_is_not() -> None:
    fix = fix_of(host("a") + host("b") + service("a", OWN["b"]) + OFF)
    assert not fix.proved
    assert f"{VIP} is on eth0 itself" in str(fix.rejected_because)

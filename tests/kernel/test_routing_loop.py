"""A ring of routers on the running kernel: found in its tables, counted on its wires, mended."""

import errno
import json
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hopback.checks.diagnose import diagnose
from hopback.findings import Finding, Fix
from hopback.remedies.apply.store import ENVIRONMENT
from hopback.remedies.attach import with_remedies
from hopback.sources.live import read
from tests.build import of, only
from tests.kernel.astray import HOPBACK
from tests.kernel.ring_rig import POOL, ROUTERS, USED, Ring

pytestmark = pytest.mark.kernel("sysctl")

NAME = "routing-loop"
SERVICE = "198.51.100.9"
TRANSLATED = f"""
table ip nat {{
    chain output {{
        type nat hook output priority -100
        ip daddr {SERVICE} tcp dport 80 dnat to 192.0.2.10:8080
    }}
}}
"""
TTL = 64


def connect(ring: Ring, role: str) -> int:
    """The error of a connection to the service, as far as the host itself knows at once."""
    with ring.rig.space(role), socket.socket() as client:
        client.setblocking(False)
        return client.connect_ex((SERVICE, 80))


@pytest.fixture
def ring() -> Iterator[Ring]:
    with Ring() as made:
        yield made


def found(ring: Ring) -> Finding | None:
    snapshots = [read(netns=ring.names)]
    report = with_remedies(snapshots, diagnose(snapshots))
    return only(report, NAME) if of(report, NAME) else None


def fix_of(finding: Finding, name: str) -> Fix:
    return next(fix for fix in finding.fixes if fix.name == name)


def apply(ring: Ring, commands: Sequence[str]) -> None:
    """Run them where they say, and nowhere else."""
    space = f"ip -n {ring.rig.name('b')} "
    assert all(command.startswith(space) for command in commands)
    ring.rig.ip("b", *(command.removeprefix(space) for command in commands))


def ping(ring: Ring, address: str) -> bool:
    return ring.rig.run("client", "ping", "-c", "1", "-W", "2", address).returncode == 0


def test_the_wires_carry_as_many_frames_as_the_tables_say(ring: Ring) -> None:
    finding = found(ring)
    assert finding is not None
    told = finding.details
    assert (finding.confidence, finding.subject) == ("certain", POOL)
    assert [name.rpartition("-")[2] for name in told["ring"]] == list(ROUTERS)
    assert (told["period"], told["endless"]) == (len(ROUTERS), False)
    frames = ring.frames(TTL, expected=told["frames_per_packet"])
    assert frames == list(range(TTL, 0, -1))


@pytest.mark.kernel("sysctl", "ping")
def test_the_remedy_ends_it_and_keeps_what_is_used(ring: Ring) -> None:
    finding = found(ring)
    assert finding is not None
    fix = fix_of(finding, "blackhole_route")
    assert fix.proved
    assert fix.keeps == (USED,)
    assert ping(ring, USED)
    apply(ring, fix.commands)
    assert found(ring) is None
    assert ring.frames(TTL, expected=2) == [TTL, TTL - 1], "a to b, and no further"
    assert ping(ring, USED)
    apply(ring, fix.undo)
    again = found(ring)
    assert again is not None
    assert again.details == finding.details


def test_applied_and_undone(ring: Ring, tmp_path: Path) -> None:
    environment = {**os.environ, ENVIRONMENT: str(tmp_path)}

    def fix(*words: str) -> str:
        argv = (HOPBACK, "fix", *words)
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    spaces = [word for name in ring.names for word in ("--netns", name)]
    fix("live", NAME, *spaces, "--apply", "--yes")
    assert found(ring) is None
    (record,) = json.loads(fix("--list", "--json"))["records"]
    assert record["fix"] == "blackhole_route"
    fix("--undo", record["id"])
    assert found(ring) is not None


@pytest.mark.kernel("sysctl", "nft")
def test_what_the_host_itself_reaches_by_nat(ring: Ring) -> None:
    """A route refuses it before NAT sees it; a rule for what comes in does not."""
    ring.rig.run("b", "nft", TRANSLATED)
    finding = found(ring)
    assert finding is not None
    route, rule = (fix_of(finding, f"blackhole_{what}") for what in ("route", "rule"))
    assert SERVICE in (route.rejected_because or "")
    assert rule.proved
    assert connect(ring, "b") == errno.EINPROGRESS
    apply(ring, route.commands)
    assert connect(ring, "b") == errno.EINVAL
    apply(ring, route.undo)
    apply(ring, rule.commands)
    assert connect(ring, "b") == errno.EINPROGRESS
    assert found(ring) is None
    assert ring.frames(TTL, expected=2) == [TTL, TTL - 1]


def test_filters_on_all_of_them_end_it(ring: Ring) -> None:
    """Wherever a packet comes from, some router's way back there is not the way it came."""
    for role in ROUTERS:
        ring.rig.run(role, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1")
    assert found(ring) is None
    assert ring.frames(TTL, expected=2) == [TTL, TTL - 1]

"""hopback solves the lost DHCP reply on the running kernel, as a user would have it do.

The host is read live, the cause and the hop are named, the printed remedy is run to the letter,
and a real client gets its lease from a real server.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hopback.frames.mac import format_mac
from tests.kernel.incident_b import BRIDGE, GUEST, TAP, UPLINK, IncidentB, Server

pytestmark = pytest.mark.kernel("dnsmasq", "udhcpc", "tc")

HOPBACK = Path(sys.executable).with_name("hopback")
SERVERS: tuple[Server, ...] = ("host", "outside")


def hopback(incident: IncidentB, verb: str, *options: str, roles: Sequence[str]) -> tuple[int, Any]:
    """The exit code and the JSON document of a verb on the live namespaces of ``roles``."""
    netns = [word for role in roles for word in ("--netns", incident.names[role])]
    argv = [str(HOPBACK), verb, "live", "-j", *netns, *options]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, json.loads(done.stdout)


def named(report: Any, check: str) -> Any:
    return next(f for f in report["findings"] if f["check"] == check)


def remedy(report: Any) -> Any:
    (fix,) = (fix for f in report["findings"] for fix in f["fixes"])
    return fix


@pytest.mark.parametrize("server", SERVERS)
def test_the_cause_the_hop_and_a_remedy_that_works(server: Server) -> None:
    with IncidentB("reflector", server) as incident:
        assert not incident.lease()

        code, report = hopback(incident, "check", roles=("host", "guest"))
        assert (code, report["verdict"]) == (1, "comes-back")
        misplaced = named(report, "fdb-misplaced")
        assert misplaced["subject"] == format_mac(GUEST)
        assert misplaced["details"]["bridge"] == BRIDGE
        assert misplaced["details"]["actual_port"] == UPLINK
        assert misplaced["details"]["expected_port"] == TAP
        assert named(report, "uplink-echo")["confidence"] == "likely"

        to = ("--to", format_mac(GUEST), "--dhcp")
        code, traced = hopback(incident, "trace", *to, roles=("host", "guest"))
        lost = [leg["message"] for leg in traced["legs"] if not leg["arrived"]]
        assert (code, lost) == (1, ["OFFER", "ACK"])
        offer = next(leg for leg in traced["legs"] if leg["message"] == "OFFER")
        assert offer["lost_at"] == UPLINK

        fix = remedy(report)
        assert fix["proved"] is True
        for command in fix["commands"]:
            subprocess.run(shlex.split(command), check=True, timeout=10)
        assert incident.lease()
        _, traced = hopback(incident, "trace", *to, roles=("host", "guest"))
        assert all(leg["arrived"] for leg in traced["legs"])

        for command in fix["undo"]:
            subprocess.run(shlex.split(command), check=True, timeout=10)
        assert not incident.lease()


def test_a_ring_in_sight_is_named_and_the_remedy_said_not_to_suffice() -> None:
    with IncidentB("two-link-loop", "outside") as incident:
        incident.say_hello(10)
        everywhere = ("host", "guest", "switch", "server")
        _, report = hopback(incident, "check", roles=everywhere)
        assert report["verdict"] == "comes-back"
        ring = named(report, "bridge-loop")
        assert (ring["evidence"], ring["confidence"]) == ("simulated", "certain")
        assert {"lnear0", "lnear1", "lfar0", "lfar1"} <= set(ring["details"]["ports"])
        assert remedy(report)["rejected_because"]


def test_a_ring_out_of_sight_leaves_the_remedy_with_its_limits() -> None:
    with IncidentB("two-link-loop", "outside") as incident:
        incident.say_hello(10)
        _, report = hopback(incident, "check", roles=("host", "guest"))
        assert named(report, "uplink-echo")
        assert "ring" in remedy(report)["limits"]


def test_a_healthy_host_is_clear() -> None:
    with IncidentB("silent", "outside") as incident:
        assert incident.lease()
        code, report = hopback(incident, "check", roles=("host", "guest"))
        assert (code, report["verdict"]) == (0, "clear")
        to = ("--to", format_mac(GUEST), "--dhcp")
        code, traced = hopback(incident, "trace", *to, roles=("host", "guest"))
        assert code == 0
        assert all(leg["arrived"] for leg in traced["legs"])

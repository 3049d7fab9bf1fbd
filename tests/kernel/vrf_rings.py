"""Inside user-mode Linux: a router whose two VRFs send a prefix to each other, and what is found.

usage: python -m tests.kernel.vrf_rings (a line of JSON for each set-up and family is printed)

A client sends one datagram with a short TTL. Each line tells by whom the client was told that the
TTL ran out, how often the kernel logged a dead loop, the routing-loop that hopback finds in the
live tables, and the same of one more datagram after the first fix that was not rejected.
"""

import json
import re
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network

from hopback.checks.diagnose import diagnose
from hopback.findings import Finding
from hopback.lab.netns.kernel_log import KernelLog
from hopback.remedies.attach import with_remedies
from hopback.sources.live import read
from tests.kernel.rig import Rig

SETUPS: Mapping[str, Sequence[str]] = {
    # Each has a route that leads out by the device of the other.
    "leaked": ("route add {pool} dev blue table 10", "route add {all} dev red table 20"),
    # A veth joins them: packets leave one and come in at the other.
    "joined": (
        "link add va type veth peer name vb",
        "link set va master red",
        "link set vb master blue",
        "addr add {va}/{length} dev va {flags}",
        "addr add {vb}/{length} dev vb {flags}",
        "link set va up",
        "link set vb up",
        "route add {pool} via {vb} dev va table 10",
        "route add {all} via {va} dev vb table 20",
    ),
}
IPV4 = {
    "router": "192.0.2.1",
    "client": "192.0.2.9",
    "length": "24",
    "flags": "",
    "va": "198.51.100.1",
    "vb": "198.51.100.2",
    "pool": "203.0.113.0/24",
    "all": "0.0.0.0/0",
}
IPV6 = {
    "router": "2001:db8::1",
    "client": "2001:db8::9",
    "length": "64",
    "flags": "nodad",
    "va": "2001:db8:1::1",
    "vb": "2001:db8:1::2",
    "pool": "2001:db8:99::/48",
    "all": "::/0",
}
TTL = 10
_ROUTER = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
_BOTH = (
    "net.ipv6.conf.all.disable_ipv6=0",
    "net.ipv6.conf.default.disable_ipv6=0",
    "net.ipv6.conf.default.accept_dad=0",  # it would keep the first packets waiting
)
_SOCKET = {  # how to bound the way of a packet, how to be told of errors, where the address stands
    4: (socket.AF_INET, socket.IPPROTO_IP, socket.IP_TTL, 11, slice(4, 8)),
    6: (socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 25, slice(8, 24)),
}
_EXTENDED_ERR = 16  # bytes of struct sock_extended_err, before the offender's address
_SECONDS_MAX = 2.0


def main() -> None:
    """All set-ups, each in a router of its own."""
    for setup, lines in SETUPS.items():
        for names in (IPV4, IPV6):
            with Rig() as rig:
                _build(rig, [line.format_map(names) for line in lines], names)
                sys.stdout.write(json.dumps({"setup": setup, **_played(rig, names)}) + "\n")


def _played(rig: Rig, names: Mapping[str, str]) -> Mapping[str, object]:
    before = _sent(rig, names)
    snapshots = [read(netns=(rig.name("router"),))]
    report = with_remedies(snapshots, diagnose(snapshots))
    (found,) = (f for f in report.findings if f.check == "routing-loop")
    fix = next(fix for fix in found.fixes if fix.rejected_because is None)
    prefix = f"ip -n {rig.name('router')} "
    rig.ip("router", *(command.removeprefix(prefix) for command in fix.commands))
    return {
        "family": ip_address(names["client"]).version,
        "sent": before,
        "finding": _said(found),
        "verdict": report.verdict,
        "others": [f.check for f in report.findings if f is not found],
        "fix": fix.name,
        "sent after": _sent(rig, names),
    }


def _said(found: Finding) -> Mapping[str, object]:
    details = found.details
    return {
        "confidence": found.confidence,
        "subject": found.subject,
        "ring": [re.sub(r".*\((.*)\)", r"\1", title) for title in details["ring"]],
        "frames": details["frames_per_packet"],
        "endless": details["endless"],
    }


def _build(rig: Rig, lines: Sequence[str], names: Mapping[str, str]) -> None:
    for role, settings in (("router", (*_BOTH, *_ROUTER)), ("client", _BOTH)):
        rig.namespace(role)
        for setting in settings:
            rig.run(role, "sysctl", "-qw", setting)
    rig.ip(
        "router",
        "link add red type vrf table 10",
        "link add blue type vrf table 20",
        "link set red up",
        "link set blue up",
        f"link add e0 type veth peer name c0 netns {rig.name('client')}",
        "link set e0 master red",
        "addr add {router}/{length} dev e0 {flags}".format_map(names),
        "link set e0 up",
    )
    rig.ip(
        "client",
        "addr add {client}/{length} dev c0 {flags}".format_map(names),
        "link set c0 up",
        "route add default via {router}".format_map(names),
    )
    rig.ip("router", *lines)


def _sent(rig: Rig, names: Mapping[str, str]) -> Mapping[str, object]:
    """Who says of a datagram that its TTL ran out, and how many dead loops are logged."""
    log = KernelLog()
    log.clear()
    family, level, ttl, recverr, place = _SOCKET[ip_address(names["client"]).version]
    with rig.space("client"), socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(level, ttl, TTL)
        sender.setsockopt(level, recverr, 1)
        sender.sendto(b"round and round", (str(ip_network(names["pool"])[5]), 9))
        error = _queued(sender)
    said = error and socket.inet_ntop(family, error[_EXTENDED_ERR:][place])
    dead = [line for line in log.lines() if "Dead loop on virtual device" in line]
    return {"told by": said, "dead loops": len(dead)}


def _queued(sender: socket.socket) -> bytes | None:
    """The error that comes back for what was sent (ip(7), IP_RECVERR); None if there is none."""
    end = time.monotonic() + _SECONDS_MAX
    while time.monotonic() < end:
        try:
            _, ((_, _, data),), _, _ = sender.recvmsg(1 << 10, 1 << 10, socket.MSG_ERRQUEUE)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return bytes(data)
    return None


if __name__ == "__main__":
    main()

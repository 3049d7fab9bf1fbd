"""Two namespaces with everything in them that the live source reads."""

import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from hopback.snapshot.model import Snapshot
from hopback.sources.live import read

_numbers = itertools.count()


class Lab(NamedTuple):
    """``host`` holds the bridge, ``guest`` the far end of one of its ports."""

    host: str
    guest: str

    def run(self, command: str, netns: str = "") -> str:
        """What a command prints inside ``host`` (or ``netns``)."""
        words = ["ip", "netns", "exec", netns or self.host, *command.split()]
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def json(self, command: str, netns: str = "") -> list[dict[str, Any]]:
        """What a command of iproute2 prints as JSON."""
        found: list[dict[str, Any]] = json.loads(self.run(command, netns) or "[]")
        return [entry for entry in found if entry]


SETUP = """
sysctl -qw net.ipv6.conf.default.accept_dad=0
ip link set lo up
ip link add br0 type bridge forward_delay 200 ageing_time 12345600 mcast_snooping 1
ip link add p0 type veth peer name e0 netns {guest}
ip link add p1 type veth peer name q1
sysctl -qw net.ipv6.conf.q1.disable_ipv6=1
ip link add p2 type veth peer name q2
ip link add p3 type veth peer name q3
ip link set p0 master br0
ip link set p1 master br0
ip link set p2 master br0
ip link set p0 up
ip link set p1 up
ip link set q1 up
ip link set br0 up
ip link set p3 promisc on
bridge link set dev p0 hairpin on learning on neigh_suppress on cost 7 priority 9
bridge link set dev p1 isolated on flood off mcast_flood off bcast_flood off
bridge link set dev p2 learning off guard on root_block on locked on mcast_to_unicast on
ip link set p1 type bridge_slave proxy_arp on proxy_arp_wifi on group_fwd_mask 8
bridge fdb add 02:00:00:00:00:01 dev p0 master static
bridge fdb add 02:00:00:00:00:02 dev p0 master static sticky
bridge fdb add 02:00:00:00:00:03 dev p1 master dynamic
bridge fdb add 02:00:00:00:00:04 dev p1 master local
bridge fdb add 02:00:00:00:00:05 dev p1 master extern_learn
bridge fdb add 02:00:00:00:00:06 dev p1 self
ip address add 192.0.2.1/24 dev br0
ip address add 192.0.2.7/24 dev br0
ip address add 198.51.100.1 peer 198.51.100.2/32 dev p0
ip address add 2001:db8::1/64 dev br0 nodad
ip address add 2001:db8::2/64 dev br0 valid_lft 1000 preferred_lft 0
ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev br0 nud permanent
ip neigh add 192.0.2.10 lladdr 02:00:00:00:00:0a dev br0 nud stale
ip neigh add 2001:db8::9 lladdr 02:00:00:00:00:09 router dev br0 nud reachable
ip neigh add proxy 192.0.2.77 dev br0
ip route add default via 192.0.2.254 metric 50
ip route add 203.0.113.0/24 nexthop via 192.0.2.253 weight 3 nexthop via 192.0.2.254
ip route add blackhole 203.0.114.0/24
ip route add 203.0.115.1 via 203.0.116.1 dev br0 onlink table 77 proto static src 192.0.2.7
ip route add 203.0.117.0/24 via inet6 fe80::1 dev br0
ip route add 2001:db8:1::/48 via 2001:db8::ff metric 20
ip route add unreachable 2001:db8:2::/48
ip route add 203.0.118.0/24 tos 0x10 dev br0
ip -6 route add 2001:db8:3::/48 from 2001:db8:4::/48 dev br0 pref high
ip rule add from 192.0.2.0/24 to 203.0.113.0/24 iif br0 fwmark 0x10/0xff lookup 77 priority 100
ip rule add not from 198.51.100.1 oif p0 ipproto tcp dport 80-90 prohibit priority 200
ip rule add from all lookup main suppress_prefixlength 0 priority 300
ip -6 rule add from 2001:db8::/32 uidrange 5-6 goto 32766 priority 400
"""


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The two namespaces, removed at the end whatever happens."""
    names = Lab(*(f"hb-{os.getpid()}-{next(_numbers)}" for _ in "ab"))
    try:
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True, timeout=20)
        # else the far ends would speak, and the bridge learn while two readers are compared
        names.run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1", names.guest)
        for line in SETUP.format(guest=names.guest).strip().splitlines():
            names.run(line)
        names.run("ip link set e0 up", names.guest)
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, timeout=20)


@pytest.fixture(scope="session")
def snapshot(lab: Lab) -> Snapshot:
    """Both namespaces as the live source reads them."""
    return read((lab.host, lab.guest))

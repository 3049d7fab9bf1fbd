"""A hypervisor with a guest, a neighbour and the world outside, on the running kernel.

    vm            host                          ext
    eth0 ---- lvp   lbr0   lup ---------------- eth0
                     |
    other           lwp        lpub ----------- (nobody)    floating address 203.0.113.10
    eth0 ------------+

The stations are namespaces: their duplicate detection, their neighbour tables and their replies are
the kernel's own. With ``siblings`` two macvlans in VEPA mode stand on the guest's NIC: the bridge
sees three stations behind one port, and only hairpin lets them reach each other.
"""

import shlex
from collections.abc import Mapping
from contextlib import ExitStack

from hopback.frames.build import link_local
from hopback.frames.mac import format_mac, parse_mac, tap_twin
from tests.kernel.opened import Opened
from tests.kernel.rig import Rig, checked

HOST, VM, OTHER, EXT = (parse_mac(f"52:54:00:00:00:{n}") for n in ("01", "11", "12", "99"))
SIBLINGS = ("one", "two")
BRIDGE, VM_PORT, OTHER_PORT, UPLINK, PUBLIC = "lbr0", "lvp", "lwp", "lup", "lpub"
FLOATING, GATEWAY, FIXED = "203.0.113.10", "10.0.0.1", {"vm": "10.0.0.11", "other": "10.0.0.12"}
V6 = {"vm": "2001:db8::11", "ext": "2001:db8::99"}
NIC = "eth0"
LINK_LOCAL = str(link_local(VM))

_RETRANS_MS = 100
_STATIONS = {"vm": (VM_PORT, VM), "other": (OTHER_PORT, OTHER), "ext": (UPLINK, EXT)}
_NAT = """\
table ip nat {{
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        ip daddr {floating} dnat to {fixed}
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        {itself}
        ip saddr {fixed} oifname "{public}" snat to {floating}
    }}
}}
"""


class Hypervisor(Opened):
    """All is up but the guest's NIC: what the guest does begins when it is plugged in."""

    def __init__(self, *, hairpin: bool = True, siblings: bool = False) -> None:
        self.rig = Rig(seconds_max=60)
        self._hairpin = hairpin
        self._floats = False
        self._siblings = siblings

    def _enter(self, undo: ExitStack) -> None:
        undo.enter_context(self.rig)
        self._build()

    @property
    def netns(self) -> str:
        """The name of the hypervisor's own namespace."""
        return self.rig.name("host")

    def run(self, role: str, line: str) -> str:
        """What a command prints; a failure if it fails."""
        argv = ["ip", "netns", "exec", self.rig.name(role), *shlex.split(line)]
        return checked(argv)

    def set(self, role: str, setting: str, value: int) -> None:
        """A kernel setting of a namespace, as sysctl names it."""
        self.run(role, f"sysctl -qw {setting}={value}")

    def plug_in(self) -> None:
        """Bring the guest's NIC up; it has no IPv6 address yet, and says nothing."""
        self.rig.ip("vm", f"link set {NIC} addrgenmode none", f"link set {NIC} up")
        if self._floats:
            self.rig.ip("vm", f"route add default via {GATEWAY}")
        self.rig.wait_for_forwarding("host")

    def assign(self) -> None:
        """Give the guest its link-local address, and with it something to detect."""
        self.rig.ip("vm", f"addr add {LINK_LOCAL}/64 dev {NIC}")

    def clone(self) -> None:
        """Let the neighbour have the guest's MAC, and its address."""
        mine = f"link set {NIC} address {format_mac(VM)}"
        self.rig.ip("other", mine, f"addr add {LINK_LOCAL}/64 dev {NIC} nodad")

    def configure(self, settings: Mapping[str, int]) -> None:
        """Settings of the guest's NIC, below net.ipv6.conf; without, it knows no nonce."""
        for name, value in settings.items():
            self.set("vm", f"net.ipv6.conf.{NIC}.{name}", value)

    def pull_out(self) -> None:
        """Bring the guest's NIC down: its IPv6 addresses, failed or not, are gone."""
        self.rig.ip("vm", f"link set {NIC} down")

    def float(self, *, bridge_nf: bool, forward: bool = True, itself: bool = True) -> None:
        """Give the guest a floating address; ``itself``: it can be reached by it from there too."""
        self._floats = True
        self.rig.ip(
            "host",
            f"link add {PUBLIC} type veth peer name {PUBLIC}x",
            f"link set {PUBLIC} up",
            f"link set {PUBLIC}x up",
            f"addr add {FLOATING}/32 dev {PUBLIC}",
            f"addr add {GATEWAY}/24 dev {BRIDGE}",
        )
        for role, address in FIXED.items():
            self.rig.ip(role, f"addr add {address}/24 dev {NIC}")
        self.rig.ip("other", f"route add default via {GATEWAY}")
        self.set("host", "net.ipv4.ip_forward", int(forward))
        self.set("host", "net.bridge.bridge-nf-call-iptables", int(bridge_nf))
        fixed = FIXED["vm"]
        own = f"ip saddr {fixed} ip daddr {fixed} snat to {FLOATING}" if itself else ""
        rules = _NAT.format(floating=FLOATING, fixed=fixed, public=PUBLIC, itself=own)
        checked(["ip", "netns", "exec", self.netns, "nft", "-f", "-"], rules)

    def _build(self) -> None:
        for role in ("host", *_STATIONS):
            self.rig.namespace(role)
        plain = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
        self.rig.ip("host", f"link add {BRIDGE} address {format_mac(HOST)} {plain}")
        for role, (port, mac) in _STATIONS.items():
            far = f"peer name {NIC} address {format_mac(mac)} netns {self.rig.name(role)}"
            self.rig.ip(
                "host",
                f"link add {port} address {format_mac(tap_twin(mac))} type veth {far}",
                f"link set {port} master {BRIDGE} up",
            )
            self._open(role)
        self.rig.ip("host", f"link set {BRIDGE} up")
        self.rig.ip("other", f"link set {NIC} up")
        self.rig.ip("ext", f"link set {NIC} up")
        if self._siblings:
            self._stand_on_the_nic()
        if self._hairpin:
            self.rig.bridge("host", f"link set dev {VM_PORT} hairpin on")

    def _open(self, role: str) -> None:
        """IPv6 on, without what a station says of itself, and quick to answer itself."""
        for scope in ("default", "all", NIC):
            self.set(role, f"net.ipv6.conf.{scope}.disable_ipv6", 0)
            self.set(role, f"net.ipv6.conf.{scope}.enhanced_dad", 0)
            self.set(role, f"net.ipv6.conf.{scope}.accept_ra", 0)
            self.set(role, f"net.ipv6.conf.{scope}.router_solicitations", 0)
            self.set(role, f"net.ipv6.conf.{scope}.router_solicitation_delay", 0)
        self.set(role, f"net.ipv6.neigh.{NIC}.retrans_time_ms", _RETRANS_MS)

    def _stand_on_the_nic(self) -> None:
        for number, role in enumerate(SIBLINGS, 1):
            self.rig.namespace(role)
            name = self.rig.name(role)
            self.rig.ip("vm", f"link add link {NIC} name {NIC} netns {name} type macvlan mode vepa")
            self.rig.ip(role, f"addr add 10.0.0.{20 + number}/24 dev {NIC}", f"link set {NIC} up")

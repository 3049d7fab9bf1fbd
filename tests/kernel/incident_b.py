"""The DHCP reply that went elsewhere, built on the running kernel.

    guest          host                        switch                    server
    eth0 ---- lvnet0  lbr0  luplink0 ---- lport0  lsw0  lport1 ---- eth0   (server "outside")
                       |                            |
                  (server "host")        silent: nothing more
                                      reflector: hairpin on lport0
                                  two-link-loop: two links to a second switch lsw1

What the guest broadcasts returns by the uplink; the host's bridge then believes that the guest
lives out there, and sends it the reply by the uplink.
"""

import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from hopback.frames.mac import BROADCAST, format_mac, mac_to_bytes, parse_mac, tap_twin
from hopback.lab.netns.observer import Observer
from tests.kernel.opened import Opened
from tests.kernel.rig import Rig, wait_until

Upstream = Literal["silent", "reflector", "two-link-loop"]
Server = Literal["host", "outside"]

GUEST = parse_mac("52:54:00:00:00:11")
BRIDGE, TAP, UPLINK = "lbr0", "lvnet0", "luplink0"

_PLAIN = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
_HOST_ADDRESS, _OUTSIDE_ADDRESS, _POOL = "192.0.2.1", "192.0.2.2", "192.0.2.100,192.0.2.150"
_DHCP_SERVER_PORT = 67

# A shaper keeps a storm alive but slow; without it two links carry 100 000 frames a second.
_SHAPER = "tbf rate 4mbit burst 4kb limit 20kb"


class IncidentB(Opened):
    """Incident B; ``server`` says where dnsmasq runs, ``upstream`` what lies beyond the uplink."""

    def __init__(self, upstream: Upstream = "reflector", server: Server = "host") -> None:
        self._upstream = upstream
        self._server = server
        self._rig = Rig(seconds_max=60)

    def _enter(self, undo: ExitStack) -> None:
        undo.enter_context(self._rig)
        self._build()

    @property
    def rig(self) -> Rig:
        return self._rig

    @property
    def names(self) -> dict[str, str]:
        """The namespaces: their names by role (host, guest, switch, server)."""
        return self._rig.names

    def run(self, role: str, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the namespace of ``role``."""
        return self._rig.run(role, *argv)

    def lease(self, attempts: int = 3) -> bool:
        """Whether a DHCP client in the guest gets a lease, in so many attempts a second apart."""
        client = f"udhcpc -f -q -n -t {attempts} -T 1 -A 0 -i eth0 -s /bin/true"
        return self.run("guest", *client.split()).returncode == 0

    def say_hello(self, times: int = 1) -> None:
        """Let the guest broadcast a frame (an experimental ethertype, no answer is due)."""
        guest = Observer(self._rig.space("guest"), "eth0")
        for _ in range(times):
            guest.send(mac_to_bytes(BROADCAST) + mac_to_bytes(GUEST) + b"\x88\xb5" + bytes(46))
        guest.close()

    def received_at_uplink(self) -> int:
        """How many frames came in by the host's uplink so far."""
        (link,) = self._rig.show("host", "ip", "-s", "link", "show", UPLINK)
        count: int = link["stats64"]["rx"]["packets"]
        return count

    def guest_port(self) -> str | None:
        """The bridge port on which the host believes the guest to be."""
        for entry in self._rig.show("host", "bridge", "fdb", "show", "br", BRIDGE):
            if entry["mac"] == format_mac(GUEST) and entry.get("master") == BRIDGE:
                port: str = entry["ifname"]
                return port
        return None

    def pin_guest(self) -> None:
        """The remedy: an entry for the guest on its tap that no frame can move."""
        self._rig.bridge("host", f"fdb replace {format_mac(GUEST)} dev {TAP} master static sticky")

    def _build(self) -> None:
        for role in ("host", "guest", "switch", "server"):
            self._rig.namespace(role)
        self._build_host()
        self._build_outside()
        if self._upstream == "reflector":
            self._rig.bridge("switch", "link set dev lport0 hairpin on")
        if self._upstream == "two-link-loop":
            self._build_loop()
        for role in ("host", "switch"):
            self._rig.wait_for_forwarding(role)
        self._start_server()

    def _build_host(self) -> None:
        guest, twin = format_mac(GUEST), format_mac(tap_twin(GUEST))
        name = self._rig.name
        self._rig.ip(
            "host",
            f"link add {BRIDGE} address 02:00:00:00:00:01 {_PLAIN}",
            f"link add {TAP} address {twin} type veth"
            f" peer name eth0 address {guest} netns {name('guest')}",
            f"link add {UPLINK} address 02:00:00:00:00:0a type veth"
            f" peer name lport0 netns {name('switch')}",
            f"link set {TAP} master {BRIDGE} up",
            f"link set {UPLINK} master {BRIDGE} up",
            f"addr add {_HOST_ADDRESS}/24 dev {BRIDGE}",
            f"link set {BRIDGE} up",
        )
        self._rig.ip("guest", "link set eth0 up")

    def _build_outside(self) -> None:
        self._rig.ip(
            "switch",
            f"link add lsw0 {_PLAIN}",
            f"link add lport1 type veth peer name eth0 netns {self._rig.name('server')}",
            "link set lport0 master lsw0 up",
            "link set lport1 master lsw0 up",
            "link set lsw0 up",
        )
        self._rig.ip("server", f"addr add {_OUTSIDE_ADDRESS}/24 dev eth0", "link set eth0 up")

    def _build_loop(self) -> None:
        self._rig.ip("switch", f"link add lsw1 {_PLAIN}", "link set lsw1 up")
        for number in (0, 1):
            near, far = f"lnear{number}", f"lfar{number}"
            self._rig.ip("switch", f"link add {near} type veth peer name {far}")
            for end, switch in ((near, "lsw0"), (far, "lsw1")):
                self._rig.tc("switch", f"qdisc add dev {end} root {_SHAPER}")
                self._rig.ip("switch", f"link set {end} master {switch} up")

    def _start_server(self) -> None:
        role, device = ("host", BRIDGE) if self._server == "host" else ("server", "eth0")
        options = (
            f"--keep-in-foreground --conf-file=/dev/null --pid-file --port=0 --no-ping"
            f" --interface={device} --bind-interfaces --dhcp-authoritative"
            f" --dhcp-range={_POOL},255.255.255.0,2m --leasefile-ro"
        )
        server = self._rig.start(role, "dnsmasq", *options.split())
        wait_until(lambda: server.poll() is not None or self._listens(role), "dnsmasq listening")
        assert server.poll() is None, f"dnsmasq ended with {server.returncode}"

    def _listens(self, role: str) -> bool:
        with self._rig.space(role):
            table = Path("/proc/thread-self/net/udp").read_text()
        return f":{_DHCP_SERVER_PORT:04X} " in table

"""A host with a floating IP for one of two guests, built as nova-network builds it."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hopback.datapath.model import Model
from hopback.frames import icmp
from hopback.frames.codec import decode
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import ECHO_REPLY, ECHO_REQUEST, Icmp
from hopback.frames.ipv4 import Ipv4
from hopback.frames.mac import Mac
from hopback.lab.netns.namespace import Namespace
from hopback.lab.netns.observer import Observer
from tests.build import listing, model
from tests.kernel.rig import Rig

FLOATING, FIXED, OTHER, GATEWAY = "203.0.113.10", "10.0.0.3", "10.0.0.4", "10.0.0.1"
BRIDGE_MAC, GUEST_MAC, OTHER_MAC = (
    Mac(0x0200_0000_0001),
    Mac(0x0200_0000_0010),
    Mac(0x0200_0000_0011),
)
GUESTS = {"vm": (FIXED, "10"), "vm2": (OTHER, "11")}
LISTINGS = (
    ("ip", "-d", "link", "show"),
    ("ip", "addr", "show"),
    ("ip", "route", "show", "table", "all"),
    ("ip", "neigh", "show"),
    ("bridge", "fdb", "show"),
    ("iptables-save",),
)
PORT = 8080
_SECONDS = 0.3
_SETTINGS = ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables")


@dataclass(frozen=True)
class Variant:
    """``call``: br_netfilter hands bridged packets over. ``snat``: what the guest sends to itself
    gets the floating address."""

    call: bool
    hairpin: bool
    forward: bool = True
    snat: bool = True


class FloatingIp:
    """The built network: guests vm and vm2 on br0, the floating IP on the host."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        for role in ("host", "ext", *GUESTS):
            rig.namespace(role)
        rig.ip(
            "host",
            "link add br0 address 02:00:00:00:00:01 type bridge stp_state 0 forward_delay 0"
            " mcast_snooping 0",
            "link set br0 up",
            f"address add {GATEWAY}/24 dev br0",
        )
        for index, (role, (address, last)) in enumerate(GUESTS.items()):
            rig.ip(
                "host",
                f"link add tap{index} address fe:00:00:00:00:{last} type veth peer name eth0"
                f" address 02:00:00:00:00:{last} netns {rig.name(role)}",
                f"link set tap{index} master br0 up",
            )
            rig.ip(
                role,
                "link set eth0 up",
                f"address add {address}/24 dev eth0",
                f"route add default via {GATEWAY}",
            )
        rig.ip(
            "host",
            f"link add pub0 type veth peer name eth0 netns {rig.name('ext')}",
            "link set pub0 up",
            "address add 203.0.113.1/24 dev pub0",
            f"address add {FLOATING}/32 dev pub0",
        )
        rig.ip("ext", "link set eth0 up", "address add 203.0.113.2/24 dev eth0")
        rig.wait_for_forwarding("host")

    def set(self, variant: Variant) -> None:
        """Another variant; and everybody knows everybody."""
        rig = self._rig
        with rig.space("host"):
            for key, value in zip(_SETTINGS, (variant.forward, variant.call), strict=True):
                Path("/proc/sys", *key.split(".")).write_text(str(int(value)))
        rig.bridge("host", f"link set dev tap0 hairpin {'on' if variant.hairpin else 'off'}")
        self._nat(variant.snat)
        for role in GUESTS:
            assert answered_by(rig.space(role), GATEWAY) == GATEWAY

    def _nat(self, snat: bool) -> None:
        rules = [
            f"-A PREROUTING -d {FLOATING} -j DNAT --to-destination {FIXED}",
            f"-A OUTPUT -d {FLOATING} -j DNAT --to-destination {FIXED}",
            f"-A POSTROUTING -s {FIXED} -o pub0 -j SNAT --to-source {FLOATING}",
        ]
        if snat:
            rules.append(f"-A POSTROUTING -s {FIXED} -d {FIXED} -j SNAT --to-source {FLOATING}")
        text = "\n".join(["*nat", *rules, "COMMIT"])
        done = self._rig.run("host", "sh", "-c", f"printf '%s\\n' '{text}' | iptables-restore")
        assert done.returncode == 0, done.stderr

    def ping(self, role: str) -> tuple[str | None, Frame | None]:
        """Who answers a ping of the floating IP, and the request as it reached its guest."""
        observer = Observer(self._rig.space("vm"), "eth0", outgoing=False)
        try:
            answer = answered_by(self._rig.space(role), FLOATING)
            frames = [decode(seen.frame) for seen in observer.take()]
        finally:
            observer.close()
        return answer, next((frame for frame in frames if _is_request(frame)), None)

    def connect(self, role: str) -> bool:
        """Whether a TCP connection to the floating IP comes about."""
        with self._rig.space("vm"):
            server = socket.create_server(("0.0.0.0", PORT))
        with self._rig.space(role):
            client = socket.socket()
        with server, client:
            client.settimeout(_SECONDS)
            try:
                client.connect((FLOATING, PORT))
            except OSError:
                return False
            return True

    def model(self) -> Model:
        """The host as its own tools list it; its guests are not looked into."""
        text = ""
        for argv in LISTINGS:
            shown = self._rig.run("host", *argv)
            assert shown.returncode == 0, shown.stderr
            text += listing(" ".join(argv), shown.stdout.splitlines())
        with self._rig.space("host"):
            values = [Path("/proc/sys", *key.split(".")).read_text().strip() for key in _SETTINGS]
        settings = [f"{key} = {value}" for key, value in zip(_SETTINGS, values, strict=True)]
        return model(text + listing("sysctl net", settings))


def answered_by(space: Namespace, target: str) -> str | None:
    """The address from which an echo request is answered, if it is in time."""
    with space:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    number = secrets.randbits(16)
    with raw:
        raw.settimeout(_SECONDS)
        raw.sendto(icmp.encode(Icmp(ECHO_REQUEST, rest=number << 16 | 1), b""), (target, 0))
        try:
            while True:
                packet, (peer, _) = raw.recvfrom(1 << 12)
                if packet[20] == ECHO_REPLY and packet[24:26] == number.to_bytes(2, "big"):
                    return str(peer)
        except TimeoutError:
            return None


def _is_request(frame: Frame) -> bool:
    packet = frame.payload
    return (
        isinstance(packet, Ipv4)
        and isinstance(packet.payload, Icmp)
        and packet.payload.kind == ECHO_REQUEST
    )


@contextmanager
def floating_ip() -> Iterator[FloatingIp]:
    with Rig(seconds_max=120) as rig:
        yield FloatingIp(rig)

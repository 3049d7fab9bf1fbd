"""Three routers of the running kernel that send a prefix round, and a client in front of them.

client ---- a ---- b ---- c ---- a: ``a`` sends the pool to ``b``; the others send all to the next.
"""

import socket
from collections.abc import Sequence
from contextlib import ExitStack

from hopback.frames.codec import decode
from hopback.frames.ipv4 import Ipv4
from hopback.lab.netns.observer import Observer
from tests.kernel.opened import Opened
from tests.kernel.rig import Rig, wait_until

POOL, TARGET, USED = "198.51.100.0/24", "198.51.100.30", "198.51.100.5"
ROUTERS = ("a", "b", "c")

_LINKS = (
    # one end, its address, the other end, its address
    ("client", "192.0.2.10/24", "a", "192.0.2.1/24"),
    ("a", "10.0.1.1/24", "b", "10.0.1.2/24"),
    ("b", "10.0.2.2/24", "c", "10.0.2.3/24"),
    ("c", "10.0.3.3/24", "a", "10.0.3.1/24"),
)
_ROUTES = {
    "client": "default via 192.0.2.1",
    "a": f"{POOL} via 10.0.1.2",
    "b": "default via 10.0.2.3",
    "c": "default via 10.0.3.1",
}
_SETTINGS = ("ip_forward=1", "conf.all.rp_filter=0", "conf.default.rp_filter=0")


class Ring(Opened):
    """The ring; a packet is bounded by its TTL."""

    def __init__(self) -> None:
        self.rig = Rig(seconds_max=60)
        self._observers: list[Observer] = []

    def _enter(self, undo: ExitStack) -> None:
        undo.enter_context(self.rig)
        self._build()

    @property
    def names(self) -> tuple[str, ...]:
        """The routers' namespaces, as hopback reads them."""
        return tuple(self.rig.name(role) for role in ROUTERS)

    def frames(self, ttl: int, *, expected: int) -> Sequence[int]:
        """The TTLs with which one packet for ``TARGET`` comes in at the routers, highest first.

        Waits for as many as are expected, and then takes all that there are.
        """
        found: list[int] = []

        def all_there() -> bool:
            for observer in self._observers:
                found.extend(_ttls(observer))
            return len(found) >= expected

        all_there()
        found.clear()
        with self.rig.space("client"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            sender.sendto(b"round and round", (TARGET, 9))
        wait_until(all_there, f"{expected} frames")
        return sorted(found, reverse=True)

    def _build(self) -> None:
        for role in ("client", *ROUTERS):
            self.rig.namespace(role)
            for setting in _SETTINGS:
                self.rig.run(role, "sysctl", "-qw", f"net.ipv4.{setting}")
        for number, (one, address, other, its) in enumerate(_LINKS):
            there = f"peer name lr{number}b netns {self.rig.name(other)}"
            self.rig.ip(one, f"link add lr{number}a type veth {there}")
            for role, end, own in ((one, f"lr{number}a", address), (other, f"lr{number}b", its)):
                self.rig.ip(role, f"addr add {own} dev {end}", f"link set {end} up")
        for role, route in _ROUTES.items():
            self.rig.ip(role, f"route add {route}")
        self.rig.ip("b", f"addr add {USED}/32 dev lo")
        for role in ROUTERS:
            observer = Observer(self.rig.space(role), "", outgoing=False)
            self.rig.defer(observer.close)
            self._observers.append(observer)


def _ttls(observer: Observer) -> list[int]:
    packets = (decode(seen.frame).payload for seen in observer.take())
    return [p.ttl for p in packets if isinstance(p, Ipv4) and str(p.dst) == TARGET]

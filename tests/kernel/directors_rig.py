"""Two IPVS directors and a client on one segment, each a namespace with a stack of its own.

       a                 b               client
    192.0.2.11        192.0.2.12       192.0.2.99
    2001:db8::11      2001:db8::12     2001:db8::99
       eth0 ------------ eth0 ------------ eth0

What they are to do (services, addresses, settings) is for the tests to say. The NICs are taps, and
the segment between them is ours: ``segment`` notes every frame and cuts a storm. It needs a kernel
with IPVS, which is that of user-mode Linux, where all of it ends with the machine.
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from hopback.frames.mac import Mac, format_mac
from hopback.lab.netns.namespace import Namespace
from tests.kernel.opened import Opened
from tests.kernel.rig import checked
from tests.kernel.segment import Segment
from tests.kernel.tap import open_tap

MODULES = ("ip_vs", "tun", "af_packet")
NIC = "eth0"
HOSTS = {"a": 11, "b": 12, "client": 99}
"""The last byte (as printed) of each one's addresses."""

VIP, VIP6 = "192.0.2.100", "2001:db8::100"


def address(role: str) -> str:
    """The host's IPv4 address."""
    return f"192.0.2.{HOSTS[role]}"


def address6(role: str) -> str:
    """The host's IPv6 address."""
    return f"2001:db8::{HOSTS[role]}"


def mac(role: str) -> Mac:
    """The address of the host's NIC."""
    return Mac(0x0200_0000_0000 + int(str(HOSTS[role]), 16))


def host_name(role: str) -> str:
    """What the host calls itself."""
    return f"director-{role}" if len(role) == 1 else role


class Directors(Opened):
    """The three hosts, up and silent, with their addresses, until ``frames_max`` have passed."""

    def __init__(self, frames_max: int) -> None:
        self._frames_max = frames_max

    def _enter(self, undo: ExitStack) -> None:
        self._spaces = {role: undo.enter_context(closing(Namespace.anonymous())) for role in HOSTS}
        taps = {role: open_tap(undo, space, NIC) for role, space in self._spaces.items()}
        for role in HOSTS:
            self._address(role)
        self.segment = Segment(taps, self._frames_max)
        self.segment.settle()
        self.segment.take()

    @contextmanager
    def inside(self, role: str) -> Iterator[None]:
        """What is started or opened in here belongs to the host, and takes it by its name."""
        socket.sethostname(host_name(role))
        with self._spaces[role]:
            yield

    def run(self, role: str, *argv: str, script: str | None = None) -> str:
        """What a program prints on the host; CommandFailed if it fails."""
        with self.inside(role):
            return checked([*argv], script)

    def ip(self, role: str, *lines: str) -> None:
        """Lines for ``ip -batch``."""
        self.run(role, "ip", "-batch", "-", script="\n".join(lines))

    def ipvs(self, role: str, *lines: str) -> None:
        """The whole IPVS table, in the words of ``ipvsadm -Sn``."""
        self.run(role, "ipvsadm", "-C")
        self.run(role, "ipvsadm", "-R", script=_listed(lines))

    def iptables(self, role: str, *lines: str) -> None:
        """A table as a whole, in the words of ``iptables-save``.

        Of nf_tables the user-mode kernel has the bridge family alone.
        """
        self.run(role, "iptables-legacy-restore", script=_listed(lines))

    def set(self, role: str, **settings: int) -> None:
        """Settings below net.ipv4, a dot as two underscores: ``conf__all__arp_ignore=1``."""
        self._write(role, "ipv4", settings)

    def set6(self, role: str, **settings: int) -> None:
        """Settings below net.ipv6."""
        self._write(role, "ipv6", settings)

    def _write(self, role: str, family: str, settings: dict[str, int]) -> None:
        with self._spaces[role]:
            for key, value in settings.items():
                path = Path("/proc/sys/net", family, *key.split("__"))
                path.write_text(str(value))

    def _address(self, role: str) -> None:
        others = [other for other in HOSTS if other != role]
        self.ip(
            role,
            f"link set {NIC} address {format_mac(mac(role))} addrgenmode none up",
            "link set lo up",
        )
        self.set6(role, conf__eth0__disable_ipv6=0, conf__lo__disable_ipv6=0)
        self.set6(role, conf__eth0__accept_ra=0)
        self.ip(
            role,
            f"addr add {address(role)}/24 brd + dev {NIC}",
            f"addr add {address6(role)}/64 dev {NIC} nodad",
            *(
                f"neigh add {known} lladdr {format_mac(mac(other))} dev {NIC} nud permanent"
                for other in others
                for known in (address(other), address6(other))
            ),
        )


def _listed(lines: Sequence[str]) -> str:
    """Lines as a file."""
    return "".join(f"{line}\n" for line in lines)

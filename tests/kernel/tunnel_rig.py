"""A namespace that routes packets into tunnels and out of them, between two taps.

What comes in by ``i0`` goes into the tunnels by its destination, what they wrap leaves by ``u0``;
packets that come in by ``u0`` for the host are opened, and what is in them leaves by ``i0``.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from select import select

from hopback.frames.mac import Mac, format_mac
from hopback.lab.netns.namespace import Namespace
from hopback.snapshot.rows import TunnelKind
from tests.kernel.hearing import hear, heard
from tests.kernel.opened import Opened
from tests.kernel.refusal import device_refusal
from tests.kernel.rig import checked, wait_until
from tests.kernel.tap import drain, open_tap

INSIDE, UNDERLAY = "i0", "u0"
TAPS = (INSIDE, UNDERLAY)
MACS = {"i0": Mac(0x0200_0000_0A00), "u0": Mac(0x0200_0000_0A01)}
ADDRESSES = {
    "i0": ("10.0.0.1/24", "2001:db8:f::1/64"),
    "u0": ("192.0.2.1/24", "2001:db8::1/64"),
}
OWN = {4: "192.0.2.1", 6: "2001:db8::1"}
STATIONS = {
    "10.0.0.2": ("i0", Mac(0x0200_0000_0B00)),
    "2001:db8:f::2": ("i0", Mac(0x0200_0000_0B00)),
    "192.0.2.2": ("u0", Mac(0x0200_0000_0B01)),
    "2001:db8::2": ("u0", Mac(0x0200_0000_0B01)),
}
_QUIET = 0.03
"""Seconds after which nothing more leaves."""

_FLAGS = ("ocsum", "icsum", "oseq", "iseq")
KINDS: tuple[TunnelKind, ...] = ("ipip", "gre", "sit", "ip6tnl", "ip6gre")


@dataclass(frozen=True)
class TunnelConfig:
    """A tunnel to the remote of its ``number``; ``through`` is the device that leads there.

    ``keys`` are what it sends and takes, ``sums`` and ``numbers`` whether it sends and wants them.
    """

    number: int
    kind: TunnelKind
    through: str = UNDERLAY
    bound: bool = True  # it has an address of its own
    ttl: int = 0
    tos: int = 0
    pmtudisc: bool = True
    keys: tuple[int, int] | None = None
    sums: tuple[bool, bool] = (False, False)
    numbers: tuple[bool, bool] = (False, False)
    encap: int = -1
    mtu: int = 1400
    itself: bool = False  # its remote is the host's own address

    @property
    def name(self) -> str:
        return f"t{self.number}"

    @property
    def version(self) -> int:
        return 6 if self.kind.startswith("ip6") else 4

    @property
    def local(self) -> str:
        return OWN[self.version] if self.bound else ""

    @property
    def remote(self) -> str:
        if self.itself:
            return OWN[self.version]
        return f"2001:db8:9::{self.number}" if self.version == 6 else f"198.51.100.{self.number}"

    @property
    def inner(self) -> tuple[str, str]:
        """The prefixes whose packets go into the tunnel."""
        return f"10.{self.number}.0.0/16", f"2001:db8:a{self.number}::/48"

    def words(self) -> str:
        """Its settings as ``ip link add`` takes them."""
        words = [f"type {self.kind} remote {self.remote}"]
        words += [f"local {self.local}"] if self.local else []
        ttl = str(self.ttl) if self.ttl else ("0" if self.version == 6 else "inherit")
        words += [f"{'hoplimit' if self.version == 6 else 'ttl'} {ttl}"]
        if self.version == 6:
            words += [f"encaplimit {self.encap if self.encap >= 0 else 'none'}"]
            words += ["mode any"] if self.kind == "ip6tnl" else []
        else:
            tos = "inherit" if self.tos == 1 else f"{self.tos:#x}"
            words += [f"tos {tos}", "pmtudisc" if self.pmtudisc else "nopmtudisc"]
        if "gre" in self.kind:
            words += [f"okey {self.keys[0]} ikey {self.keys[1]}"] if self.keys else []
            named = zip((*self.sums, *self.numbers), _FLAGS, strict=True)
            words += [word if on else f"no{word}" for on, word in named]
        return " ".join(words)

    def shown(self) -> str:
        """The same as ``ip -d link`` shows it."""
        flags = "NOARP,UP,LOWER_UP"
        head = f"{10 + self.number}: {self.name}@NONE: <{flags}> mtu {self.mtu} qdisc noqueue"
        words = self.words().removeprefix("type ").replace("mode any ", "")
        for word in _FLAGS:
            words = words.replace(f" no{word}", "")
        words = words.replace("hoplimit 0", "hoplimit inherit").replace("tos 0x0 ", "")
        kind, _, rest = words.partition(" ")
        keys = rest if "local" in rest else rest.replace("remote", "local any remote")
        return f"{head} state UNKNOWN mode DEFAULT\n    link/none\n    {kind} {keys}\n"


class KernelTunnels(Opened):
    """The namespace."""

    def __init__(self) -> None:
        self._there: tuple[TunnelConfig, ...] = ()

    def _enter(self, undo: ExitStack) -> None:
        self._space = Namespace.anonymous()
        undo.callback(self._space.close)
        self._taps = {name: open_tap(undo, self._space, name) for name in TAPS}
        self._build()
        with self._space:
            self._raw = [hear(undo, family) for family in (socket.AF_INET, socket.AF_INET6)]

    def set(self, tunnels: tuple[TunnelConfig, ...]) -> None:
        """These tunnels with their routes, instead of those before."""
        lines = [f"link del {tunnel.name}" for tunnel in self._there]
        # A route through a tunnel went with that.
        kept = [r for r in routes(self._there) if r.endswith(f" dev {UNDERLAY}")]
        lines += [f"route del {route}" for route in kept]
        lines += [f"link add {tunnel.name} {tunnel.words()}" for tunnel in tunnels]
        lines += [f"link set {t.name} mtu {t.mtu} addrgenmode none up" for t in tunnels]
        self._run([*lines, *(f"route add {route}" for route in routes(tunnels))])
        self._there = tunnels

    def play(self, frames: Sequence[tuple[str, bytes]]) -> dict[str, tuple[bytes, ...]]:
        """Frames by the taps they come in by, and what left by each."""
        for name, frame in frames:
            os.write(self._taps[name], frame)
        left: dict[str, tuple[bytes, ...]] = dict.fromkeys(TAPS, ())
        # What was opened waits for its turn (gro_cells_receive).
        while select([*self._taps.values()], [], [], _QUIET)[0]:
            left = {name: left[name] + drain(tap) for name, tap in self._taps.items()}
        return left

    def delivered(self) -> Iterator[bytes]:
        """The UDP datagrams that the host took for its own since it was last asked."""
        return heard(self._raw)

    def _run(self, lines: Sequence[str]) -> None:
        with self._space:
            checked(["ip", "-batch", "-"], "\n".join(lines))

    def _build(self) -> None:
        lines = [
            f"link set {n} address {format_mac(MACS[n])} addrgenmode none mtu 1500" for n in TAPS
        ]
        lines += [f"link set {name} up" for name in (*TAPS, "lo")]
        with self._space:
            settings = {
                "ipv6/conf/all/disable_ipv6": 0,
                "ipv6/conf/default/disable_ipv6": 0,
                "ipv6/conf/all/forwarding": 1,
                "ipv4/ip_forward": 1,
                "ipv4/icmp_ratelimit": 0,
                "ipv6/icmp/ratelimit": 0,
                "ipv4/conf/all/rp_filter": 0,
                "ipv4/conf/default/rp_filter": 0,
            }
            for key, value in settings.items():
                Path("/proc/sys/net", key).write_text(str(value))
        self._run(lines)
        with self._space:
            for name in TAPS:
                for family, key in (("ipv6", "disable_ipv6"), ("ipv4", "rp_filter")):
                    Path(f"/proc/sys/net/{family}/conf/{name}/{key}").write_text("0")
        lines = [
            f"addr add {address} dev {name}{' nodad' * (':' in address)}"
            for name, own in ADDRESSES.items()
            for address in own
        ]
        lines += [
            f"neigh add {address} lladdr {format_mac(mac)} dev {name} nud permanent"
            for address, (name, mac) in STATIONS.items()
        ]
        self._run(lines)
        wait_until(self._settled, "the addresses usable")

    def _settled(self) -> bool:
        """IPv6 begins on a device when its carrier was noticed, which is later."""
        with self._space:
            shown = checked(["ip", "-6", "route", "show", "table", "all"])
        return all(f"multicast ff00::/8 dev {name}" in shown for name in TAPS)


def routes(tunnels: Sequence[TunnelConfig]) -> list[str]:
    """What leads to the tunnels' remotes, and into the tunnels."""
    found = [f"{prefix} dev {t.name}" for t in tunnels for prefix in t.inner]
    for tunnel in tunnels:
        gateway = "2001:db8::2" if tunnel.version == 6 else "192.0.2.2"
        via = f"via {gateway} " if tunnel.through == UNDERLAY else ""
        if not tunnel.itself:
            found.append(f"{tunnel.remote} {via}dev {tunnel.through}")
    return found


@cache
def tunnel_refusal() -> str | None:
    """Why this machine cannot have all the tunnels; None if it can."""
    for kind in KINDS:
        ends = "2001:db8::9" if kind.startswith("ip6") else "192.0.2.9"
        if reason := device_refusal(kind, "remote", ends):
            return reason
    return None

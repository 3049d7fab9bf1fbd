"""A namespace that bridges and routes between taps, to be asked what it does with IP packets.

Everybody it may have to find is a permanent neighbour, so that nothing waits for an answer.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal

from hopback.frames.mac import Mac, format_mac, parse_mac
from hopback.lab.netns.namespace import Namespace
from tests.kernel.hearing import hear, heard
from tests.kernel.opened import Opened
from tests.kernel.refusal import command_refusal, refusal
from tests.kernel.rig import checked, wait_until
from tests.kernel.tap import drain, open_tap

BRIDGE, PORTS, ROUTED = "lbr0", ("lp0", "lp1"), ("lr0", "lr1")
TAPS = (*PORTS, *ROUTED)
MACS: Mapping[str, Mac] = {
    "lbr0": parse_mac("02:bb:00:00:00:01"),
    **{name: Mac(0xFE00_0000_0100 + i) for i, name in enumerate(PORTS)},
    **{name: Mac(0x0200_0000_0A00 + i) for i, name in enumerate(ROUTED)},
}
STATIONS: Mapping[str, tuple[str, Mac]] = {
    "10.0.0.3": ("lp0", Mac(0x0200_0000_0103)),
    "10.0.0.4": ("lp1", Mac(0x0200_0000_0104)),
    "10.1.0.2": ("lr0", Mac(0x0200_0000_0202)),
    "10.2.0.2": ("lr1", Mac(0x0200_0000_0302)),
    "fd00::3": ("lp0", Mac(0x0200_0000_0103)),
    "fd00::4": ("lp1", Mac(0x0200_0000_0104)),
    "fd01::2": ("lr0", Mac(0x0200_0000_0202)),
}
"""Who has which address, behind which tap."""

MTUS = {"lbr0": 1300, "lp0": 1500, "lp1": 1300, "lr0": 1500, "lr1": 600}
ADDRESSES = {
    "lbr0": ("10.0.0.1/24", "fd00::1/64"),
    "lr0": ("10.1.0.1/24", "fd01::1/64"),
    "lr1": ("10.2.0.1/24",),
}
ROUTES = (
    "10.8.0.0/16 via 10.0.0.4",
    "blackhole 10.9.0.0/16",
    "prohibit 10.7.0.0/16",
    "10.6.0.0/16 via 10.1.0.9",
    "fd08::/64 via fd00::4",
    "unreachable fd09::/64",
)
SILENT = {"10.1.0.9": "lr0", "10.0.0.200": BRIDGE, "fd00::200": BRIDGE}
"""Addresses for which nobody answers on these devices."""

Family = Literal["ip", "ip6", "arp"]
Hook = Literal["prerouting", "input", "forward", "output", "postrouting"]


@dataclass(frozen=True)
class IpRule:
    """Drop what fits, or write another destination or source into the packet, whatever conntrack.

    ``physin`` and ``physout`` are bridge ports, which br_netfilter alone tells.
    """

    family: Family
    hook: Hook
    indev: str = ""
    outdev: str = ""
    physin: str = ""
    physout: str = ""
    target: str = ""
    to: str = ""
    source: str = ""

    @property
    def nft(self) -> str:
        words = [f"iifname {self.indev}"] if self.indev else []
        words += [f"oifname {self.outdev}"] if self.outdev else []
        words += [f"{self.family} daddr {self.target}"] if self.target else []
        words += [f"{self.family} daddr set {self.to}"] if self.to else []
        words += [f"{self.family} saddr set {self.source}"] if self.source else []
        return " ".join([*words, "accept" if self.to or self.source else "drop"])

    @property
    def phys(self) -> bool:
        return bool(self.physin or self.physout)

    @property
    def iptables(self) -> str:
        """The rule for the table mangle, as iptables-restore reads it."""
        words = ["-A", self.hook.upper(), "-m", "physdev"]
        words += ["--physdev-in", self.physin] if self.physin else []
        words += ["--physdev-out", self.physout] if self.physout else []
        words += ["-d", self.target] if self.target else []
        return " ".join([*words, "-j", "DROP"])


@dataclass(frozen=True)
class Setup:
    """What may differ from case to case; ``settings`` are sysctls without ``net.``."""

    hairpin: bool = False
    settings: tuple[tuple[str, int], ...] = ()
    rules: tuple[IpRule, ...] = ()


class Router(Opened):
    """The namespace. IPv6 is on where it has an address."""

    def __init__(self) -> None:
        self._rules: tuple[IpRule, ...] | None = None

    def _enter(self, undo: ExitStack) -> None:
        self._space = Namespace.anonymous()
        undo.callback(self._space.close)
        self._taps = {name: open_tap(undo, self._space, name) for name in TAPS}
        self._build()
        with self._space:
            self._raw = [hear(undo, family) for family in (socket.AF_INET, socket.AF_INET6)]
            self._own = hear(undo, socket.AF_INET, socket.IPPROTO_RAW)

    def set(self, setup: Setup) -> None:
        """The settings and rules of a case, instead of those before."""
        with self._space:
            for key, value in setup.settings:
                Path("/proc/sys/net", *(k.replace("/", ".") for k in key.split("."))).write_text(
                    str(value)
                )
            hairpin = "on" if setup.hairpin else "off"
            checked(["bridge", "link", "set", "dev", "lp0", "hairpin", hairpin])
            if setup.rules != self._rules:
                self._filter(setup.rules)
        self._rules = setup.rules

    def play(self, frames: Sequence[tuple[str, bytes]]) -> dict[str, tuple[bytes, ...]]:
        """Frames by the taps they come in by, and what left by each.

        Of a frame by no tap ("") the IPv4 packet is what the host itself sends.
        """
        for name, frame in frames:
            if name:
                os.write(self._taps[name], frame)
            else:
                self._send(frame[14:])
        return {name: drain(tap) for name, tap in self._taps.items()}

    def _send(self, packet: bytes) -> None:
        with suppress(OSError):  # no route, or a filter: it is not sent
            self._own.sendto(packet, (str(IPv4Address(packet[16:20])), 0))

    def delivered(self) -> list[bytes]:
        """The UDP datagrams that the host took for its own since it was last asked."""
        return list(heard(self._raw))

    def shown(self, *argv: str) -> str:
        """What a command in the namespace prints."""
        with self._space:
            return checked([*argv])

    def _filter(self, rules: Sequence[IpRule]) -> None:
        chains: dict[tuple[str, str], list[str]] = {}
        for rule in rules:
            if not rule.phys and rule.family != "arp":
                chains.setdefault((rule.family, rule.hook), []).append(rule.nft)
        script = "flush ruleset\n" + "".join(
            f"table {family} t {{\nchain {hook} {{\n"
            + f"type {'route' if hook == 'output' else 'filter'} hook {hook} priority -160;\n"
            + "\n".join(lines)
            + "\n}\n}\n"
            for (family, hook), lines in chains.items()
        )
        checked(["nft", "-f", "-"], script)
        for family, tool in (("ip", "iptables"), ("ip6", "ip6tables")):
            phys = [rule.iptables for rule in rules if rule.phys and rule.family == family]
            lines = ["*mangle", *phys, "COMMIT", ""]
            checked([f"{tool}-legacy-restore"], "\n".join(lines))
        checked(["arptables-legacy", "-F"])
        if any(rule.family == "arp" for rule in rules):
            checked(["arptables-legacy", "-A", "FORWARD", "-j", "DROP"])

    def _build(self) -> None:
        bridge = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0 vlan_default_pvid 0"
        lines = [f"link add {BRIDGE} address {format_mac(MACS[BRIDGE])} {bridge}"]
        lines += [f"link set {BRIDGE} mtu 1500 addrgenmode none", f"link set {BRIDGE} up"]
        lines += [f"link set {n} address {format_mac(MACS[n])} addrgenmode none" for n in TAPS]
        lines += [f"link set {name} master {BRIDGE}" for name in PORTS]
        lines += [f"link set {name} mtu {MTUS[name]}" for name in ("lp1", "lr1")]
        lines += [f"link set {name} up" for name in (*TAPS, "lo")]
        with self._space:
            checked(["ip", "-batch", "-"], "\n".join(lines))
            for name in (BRIDGE, "lr0"):
                Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("0")
            Path("/proc/sys/net/ipv4/icmp_ratelimit").write_text("0")
            for switch in Path("/proc/sys/net/ipv4/conf").glob("*/arp_ignore"):
                switch.write_text("8")
            checked(["ip", "-batch", "-"], "\n".join(_addressed()))
            checked(["bridge", "-batch", "-"], "\n".join(_table()))
        wait_until(self._settled, "the ports forwarding, the addresses usable")

    def _settled(self) -> bool:
        ports = self.shown("bridge", "link")
        return ports.count("state forwarding") == len(PORTS)


def _addressed() -> list[str]:
    lines = [
        f"address add {address} dev {name}{' nodad' if ':' in address else ''}"
        for name, given in ADDRESSES.items()
        for address in given
    ]
    lines += [f"route add {route}" for route in ROUTES]
    for address, (name, mac) in STATIONS.items():
        dev = BRIDGE if name in PORTS else name
        lines.append(f"neigh add {address} lladdr {format_mac(mac)} dev {dev} nud permanent")
    lines += [f"neigh add {address} dev {dev} nud failed" for address, dev in SILENT.items()]
    return lines


def _table() -> list[str]:
    known = {mac: name for name, mac in STATIONS.values() if name in PORTS}
    lines = [f"link set dev {name} learning off" for name in PORTS]
    return lines + [
        f"fdb add {format_mac(mac)} dev {name} master static" for mac, name in known.items()
    ]


@cache
def router_refusal() -> str | None:
    """Why this machine cannot route and filter in a namespace; None if it can."""
    missing = refusal()
    if missing is not None:
        return missing
    with closing(Namespace.anonymous()) as space, space:
        if not Path("/proc/sys/net/bridge/bridge-nf-call-iptables").exists():
            return "needs br_netfilter, which this kernel has not loaded"
    nft = command_refusal("nft", "add", "table", "ip", "t")
    return nft or command_refusal("arptables-legacy", "-L")

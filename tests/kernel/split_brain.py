"""Inside user-mode Linux: two directors with keepalived, their split brain, and its end.

usage: python -m tests.kernel.split_brain FOLDER (a line for each phase is printed)

In each of the phases "before", "split" and "healed" the client sends one datagram to the virtual
address, and what was on the wire meanwhile and what both directors list go to FOLDER/PHASE. In the
phase "split" director b drops what it hears of VRRP: both hold the address, and are each other's
real server.
"""

import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hopback.frames.codec import decode
from hopback.frames.icmp import TIME_EXCEEDED, Icmp
from hopback.frames.ipv4 import Ipv4
from hopback.frames.mac import is_group, mac_from_bytes
from tests.kernel.directors_rig import NIC, VIP, Directors, address, mac
from tests.kernel.rig import checked, wait_until
from tests.kernel.segment import Passed

PHASES = {"before": ("a",), "split": ("a", "b"), "healed": ("a",)}
"""Who holds the virtual address in each."""

PORT = 5000
FRAMES_MAX = 2000
SECONDS_MAX = 30.0

_COUNTED = 2.5
"""Seconds until a packet is in the counters: the kernel adds them up every two."""

_PRIORITIES = {"a": 100, "b": 90}
_CONFIGURATION = """\
global_defs {{
    router_id director-{role}
}}

vrrp_instance VI_1 {{
    state BACKUP
    interface {nic}
    virtual_router_id 51
    priority {priority}
    advert_int 1
    virtual_ipaddress {{
        {vip}/32 dev {nic}
    }}
}}

virtual_server {vip} {port} {{
    delay_loop 5
    lb_algo rr
    lb_kind DR
    protocol UDP
    real_server {other} {port} {{
        weight 1
    }}
}}
"""
_DEAF = ("*filter", "-A INPUT -p vrrp -j DROP", "COMMIT")
_HEARING = ("*filter", "COMMIT")

_LISTINGS = (
    "uname -a",
    "ip -d -j link",
    "ip -j addr",
    "ip -j route show table all",
    "ip -j neigh",
    "ip -j rule",
    "ipvsadm -Ln",
    "ipvsadm -Sn",
    "ipvsadm -Lnc",
    "ipvsadm -Ln --stats",
    "ipvsadm -Ln --rate",
    "ipvsadm -L --daemon",
    "nstat -az",
    "iptables-legacy-save -c",
    "sysctl net.ipv4.vs",
    "sysctl net.ipv4.conf",
    "sysctl net.ipv4.ip_forward",
    "cat /proc/net/ip_vs",
    "cat /proc/net/ip_vs_conn",
    "cat /proc/net/ip_vs_stats",
    "cat /proc/net/snmp",
    "cat /proc/net/dev",
)


class SplitBrain:
    """The directors; keepalived runs on both, and the segment is served."""

    def __init__(self, directors: Directors) -> None:
        self._directors = directors
        self._folder = Path(os.environ["TMPDIR"])

    @contextmanager
    def running(self) -> Iterator[None]:
        with ExitStack() as undo:
            stop = threading.Event()
            served = threading.Thread(target=self._directors.segment.serve, args=(stop,))
            served.start()
            undo.callback(served.join)
            undo.callback(stop.set)
            for role in _PRIORITIES:
                process = self._start(role)
                undo.callback(process.wait)
                undo.callback(process.terminate)
            yield

    def _start(self, role: str) -> "subprocess.Popen[bytes]":
        self._directors.set(role, ip_forward=0, conf__all__rp_filter=0)
        base = self._folder / role
        text = _CONFIGURATION.format(
            role=role,
            nic=NIC,
            priority=_PRIORITIES[role],
            vip=VIP,
            port=PORT,
            other=address("b" if role == "a" else "a"),
        )
        base.with_suffix(".conf").write_text(text)
        words = ["keepalived", "-n", "-l", "-D", "-f", f"{base}.conf"]
        words += ["-p", f"{base}.pid", "-r", f"{base}.vrrp", "-c", f"{base}.check"]
        with self._directors.inside(role), base.with_suffix(".log").open("wb") as log:
            return subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)

    def holders(self) -> list[str]:
        """Who holds the virtual address."""
        return [
            role
            for role in _PRIORITIES
            if f" {VIP}/" in self._directors.run(role, "ip", "addr", "show", "dev", NIC)
        ]

    def await_holders(self, *wanted: str) -> None:
        """Wait until just these hold it."""
        wait_until(lambda: self.holders() == [*wanted], f"held by {wanted}", SECONDS_MAX)

    def deafen(self, deaf: bool) -> None:
        """Let b drop what it hears of VRRP, or hear it again."""
        self._directors.iptables("b", *(_DEAF if deaf else _HEARING))

    def ask(self) -> list[Passed]:
        """One datagram of the client's to the virtual address, and what was on the wire then.

        It asks whose the address is: it may have heard of a former holder last.
        """
        self._directors.run("client", "ip", "neigh", "flush", "to", VIP)
        self._directors.segment.take()
        with self._directors.inside("client"):
            asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with asking:
            asking.sendto(b"x", (VIP, PORT))
            time.sleep(_COUNTED)
        return self._directors.segment.take()

    def record(self, phase: Path, passed: Sequence[Passed]) -> None:
        """What both directors list, a file for each command, and what they saw on the wire."""
        for role in _PRIORITIES:
            folder = phase / role
            folder.mkdir(parents=True)
            for command in _LISTINGS:
                told = self._directors.run(role, *command.split())
                (folder / _file_name(command)).write_text(told)
            for kind in ("conf", "log"):
                told = (self._folder / f"{role}.{kind}").read_text()
                (folder / f"keepalived.{kind}").write_text(told)
            (folder / f"{NIC}.pcap").write_bytes(_pcap(_seen_by(role, passed)))
            told = checked(["tcpdump", "-env", "-r", str(folder / f"{NIC}.pcap")])
            (folder / "tcpdump-env.txt").write_text(told)
        (phase / "client").mkdir()
        told = self._directors.run("client", "ip", "-j", "neigh")
        (phase / "client" / "ip-j-neigh.json").write_text(told)


def _file_name(command: str) -> str:
    """``ip -j addr`` is in ip-j-addr.json, a file of /proc under its own name."""
    name = re.sub("[ /-]+", "-", command.removeprefix("cat /"))
    return f"{name}.json" if "-j " in command else f"{name}.txt"


def _seen_by(role: str, passed: Iterable[Passed]) -> Iterator[Passed]:
    """What came to the NIC of the host, and what left by it."""
    for each in passed:
        target = mac_from_bytes(each.frame[:6])
        if each.sender == role or target == mac(role) or is_group(target):
            yield each


def _pcap(passed: Iterable[Passed]) -> bytes:
    """A capture file, as ``tcpdump -w`` writes it."""
    records = [struct.pack("=IHHiIII", 0xA1B2_C3D4, 2, 4, 0, 0, 1 << 18, 1)]
    for each in passed:
        seconds, rest = divmod(each.at, 1_000_000_000)
        length = len(each.frame)
        records.append(struct.pack("=IIII", seconds, rest // 1000, length, length) + each.frame)
    return b"".join(records)


def _in_words(passed: Iterable[Passed]) -> str:
    """How often the client's packet was on the wire, and whether it was told that it expired."""
    packets = [decode(each.frame).payload for each in passed]
    mine = [p for p in packets if isinstance(p, Ipv4) and str(p.dst) == VIP]
    errors = [p.payload for p in packets if isinstance(p, Ipv4) and isinstance(p.payload, Icmp)]
    expired = any(error.kind == TIME_EXCEEDED for error in errors)
    return f"{len(mine)} packets{', time exceeded' if expired else ''}"


def main(folder: Path) -> None:
    os.environ["NSTAT_HISTORY"] = f"{os.environ['TMPDIR']}/nstat"
    with Directors(FRAMES_MAX) as directors:
        scene = SplitBrain(directors)
        with scene.running():
            for phase, holders in PHASES.items():
                scene.deafen(phase == "split")
                scene.await_holders(*holders)
                passed = scene.ask()
                scene.record(folder / phase, passed)
                sys.stdout.write(f"{phase} {_in_words(passed)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

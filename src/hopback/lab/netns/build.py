"""Builds the namespaces and steps of a plan, and holds them until it is closed."""

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from ipaddress import ip_address
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any

from hopback.frames.mac import parse_mac
from hopback.lab.netns.isolate import give_name
from hopback.lab.netns.namespace import Namespace
from hopback.lab.observed import AddressPhase, Learned
from hopback.lab.steps import Bonded, Plan, Refused, Spot, Step, Tool

_FORWARDING_SECONDS = 5.0
_LACP_SECONDS = 15.0
_TOOL_SECONDS = 30.0
_LINE = re.compile(r"(?:-|/dev/stdin):(\d{1,9})(?::|\Z)")
_ONE_BY_ONE: Mapping[Tool, tuple[str, ...]] = {
    "ipvsadm": ("ipvsadm",),
    "iptables": ("iptables-legacy",),  # of nf_tables the user-mode kernel has bridges alone
}
_PACKAGES = {"nft": "nftables", "ipvsadm": "ipvsadm", "iptables-legacy": "iptables"}
_IN_USE = 0x30
"""The actor's state bits collecting and distributing (IEEE 802.1AX §6.4.2.3)."""


class Lab:
    """A built plan. Its process has been isolated, and holds the only references there are."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._undo = ExitStack()
        self.spaces: dict[str, Namespace] = {}

    def __enter__(self) -> "Lab":
        with ExitStack() as undo:
            for name in self._plan.spaces:
                space = Namespace.anonymous()
                undo.callback(space.close)
                give_name(space, name)
                self.spaces[name] = space
            self._post_guard(undo)
            self.take(self._plan.steps)
            self._wait_for_bonds()
            self.wait_for_forwarding()
            self.take(self._plan.late)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()

    def take(self, steps: Iterable[Step]) -> None:
        """Take steps, those in a row for one tool and namespace at once. Refused if one fails."""
        for (space, tool), group in groupby(steps, key=lambda s: (s.space, s.tool)):
            lines = [step.line for step in group]
            if tool == "sysctl":
                with self.spaces[space]:
                    _set(lines)
            elif tool in _ONE_BY_ONE:
                with self.spaces[space]:
                    for line in lines:
                        _run(*_ONE_BY_ONE[tool], *shlex.split(line))
            elif tool == "nft":
                with self.spaces[space]:
                    _run("nft", "-f", "-", script="\n".join(lines) + "\n")
            else:
                _run(tool, "-n", space, "-batch", "-", script="\n".join(lines))

    def phase(self, spot: Spot, address: str) -> AddressPhase:
        """What has become of the address of a device."""
        for device in _list("ip", "-n", spot.space, "-j", "-6", "address", "show", spot.device):
            for told in device.get("addr_info", ()):
                if ip_address(told["local"]) == ip_address(address):
                    if told.get("dadfailed"):
                        return "dadfailed"
                    return "tentative" if told.get("tentative") else "preferred"
        return "gone"

    def tables(self) -> tuple[Learned, ...]:
        """What the plan's bridges have in their tables, their own addresses left out."""
        return tuple(
            Learned(
                space,
                bridge,
                parse_mac(e["mac"]),
                e["ifname"],
                "sticky" in e["flags"],
                e.get("vlan", 0),
            )
            for space, bridge in self._plan.bridges
            for e in _list("bridge", "-n", space, "-j", "fdb", "show", "br", bridge)
            if e.get("master") == bridge and e["state"] != "permanent"
        )

    def wait_for_forwarding(self) -> None:
        """Wait until every port forwards that can: after many link events that takes a moment."""
        end = time.monotonic() + _FORWARDING_SECONDS
        building = (s.space for s in self._plan.steps if " type bridge " in s.line)
        for space in dict.fromkeys(building):
            while not _settled(space):
                if time.monotonic() > end:
                    raise Refused(f"the bridge ports in {space} do not come up")
                time.sleep(0.002)

    def _wait_for_bonds(self) -> None:
        """Wait until every bond has its legs; to agree by LACP takes seconds."""
        end = time.monotonic() + _LACP_SECONDS
        for bonded in self._plan.bonds:
            while not _agreed(bonded):
                if time.monotonic() > end:
                    raise Refused(f"the legs of {bonded.bond} do not come up as recorded")
                time.sleep(0.05)

    def _post_guard(self, undo: ExitStack) -> None:
        descriptors = [space.fileno() for space in self.spaces.values()]
        words = [str(word) for word in (self._plan.seconds, *descriptors)]
        # A session of its own: an interrupt at the terminal must not reach it.
        guard = subprocess.Popen(
            [sys.executable, "-m", "hopback.lab.netns.guard", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=descriptors,
            start_new_session=True,
        )
        undo.callback(guard.communicate)


def _settled(space: str) -> bool:
    """Whether the kernel has opened every port whose link is up; nothing here asks for 0."""
    return all(
        port["state"] != "disabled" or "LOWER_UP" not in port["flags"]
        for port in _list("bridge", "-n", space, "-j", "link", "show")
    )


def _agreed(bonded: Bonded) -> bool:
    """Whether just the legs that should are in use; one alone needs no partner."""
    listed = _list("ip", "-n", bonded.space, "-d", "-j", "link", "show", "master", bonded.bond)
    legs = {link["ifname"]: link["linkinfo"]["info_slave_data"] for link in listed}
    used = {name for name, told in legs.items() if told["mii_status"] == "UP"}
    if bonded.lacp:
        used = {name for name in used if legs[name]["state"] == "ACTIVE"}
        if len(bonded.legs) > 1:
            used = {n for n in used if legs[n]["ad_actor_oper_port_state"] & _IN_USE == _IN_USE}
    return used == set(bonded.legs)


def _list(*argv: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(_run(*argv) or "[]")
    return listed


def _set(lines: Iterable[str]) -> None:
    for line in lines:
        key, _, value = line.partition("=")
        try:
            Path("/proc/sys", key).write_text(value)
        except OSError as error:
            raise Refused(f"sysctl {line}: {error.strerror}") from error


def _run(*argv: str, script: str | None = None) -> str:
    try:
        done = subprocess.run(
            argv, input=script, capture_output=True, text=True, check=False, timeout=_TOOL_SECONDS
        )
    except FileNotFoundError as error:
        package = _PACKAGES.get(argv[0], "iproute2")
        raise Refused(f"the lab needs {argv[0]}: install {package}", denied=True) from error
    except subprocess.TimeoutExpired as error:
        raise Refused(f"{' '.join(argv)} does not end") from error
    if done.returncode != 0:
        raise Refused(_complaint(argv, done.stderr, script))
    return done.stdout


def _complaint(argv: tuple[str, ...], said: str, script: str | None) -> str:
    """What the tool said, and about which line.

    iproute2 tells its number as ``Command failed -:3``, nft as ``/dev/stdin:3:1-9: Error``.
    """
    text = " ".join(said.split())
    found = _LINE.search(text)
    number = int(found[1]) if found else 0
    lines = script.splitlines() if script else []
    about = lines[number - 1] if 0 < number <= len(lines) else ""
    return f"{argv[0]} {about or ' '.join(argv[1:])}: {text}"

"""Who a host says it is: ``hostnamectl``, /etc/machine-id, the kernel's boot id."""

import re

from msgspec.structs import replace

from hopback.snapshot.rows import HostIdentity, Kernel, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.listing import stray

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("hostnamectl",),
    ("cat", "/etc/machine-id"),
    ("cat", "/proc/sys/kernel/random/boot_id"),
    ("cat", "/etc/hostname"),
    ("hostname",),
)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*(?:Static hostname: \S|(?:\S+\s+)?Machine ID: ?[0-9a-f]{32})"
)
FILLS: tuple[type[Row], ...] = (HostIdentity,)

_HOSTNAME = re.compile(r"\s*(?:Static|Transient) hostname: (?P<name>[^\s(]\S*)")
_MACHINE = re.compile(r"\bMachine ID: ?(?P<id>[0-9a-f]{32})\b")
_BOOT = re.compile(r"\bBoot ID: ?(?P<id>[0-9a-f]{32})\b")
_KERNEL = re.compile(r"\s*Kernel: Linux (?P<release>\S+)")
_LABEL = re.compile(r"\s*(?P<name>[^\s:]+)\s+Machine ID:")
_FIELD = re.compile(r"\s*[A-Z][\w /-]*: ")
_LONE_ID = re.compile(r"\s*(?P<id>[0-9a-f]{32})\s*\Z")
_LONE_UUID = re.compile(r"\s*(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s*\Z")
_LONE_NAME = re.compile(  # "hostname -i" prints an address
    r"\s*(?P<name>(?![\d.]+\s*\Z)[A-Za-z0-9][A-Za-z0-9.-]*)\s*\Z"
)


def parse(text: Text) -> Parsed:
    """One row per host: the fields of a form are gathered, a line that has both ids is a host."""
    rows: list[Row] = []
    problems: list[Problem] = []
    host: HostIdentity | None = None
    for index, line in text.numbered():
        found = _lone(text, index, line) or _facts(text, index, line)
        if kernel := _KERNEL.match(line):
            rows.append(Kernel(cite=text.cite(index), netns=text.netns, release=kernel["release"]))
        if found is None:
            if not _FIELD.match(line):
                problems += stray(text, index, "hostnamectl")
        elif host is None or _conflict(host, found):
            rows += [host] if host else []
            host = found
        else:
            host = _merged(host, found)
    return Parsed([*rows, host] if host else rows, problems)


def _lone(text: Text, index: int, line: str) -> HostIdentity | None:
    cite = text.cite(index)
    if match := _LONE_ID.match(line):
        return HostIdentity(cite=cite, netns=text.netns, machine_id=match["id"])
    if match := _LONE_UUID.match(line):
        boot_id = match["id"].replace("-", "")
        return HostIdentity(cite=cite, netns=text.netns, boot_id=boot_id)
    named = text.command[:1] == ("hostname",) or "/etc/hostname" in text.command
    if named and (match := _LONE_NAME.match(line)):
        return HostIdentity(cite=cite, netns=text.netns, hostname=match["name"])
    return None


def _facts(text: Text, index: int, line: str) -> HostIdentity | None:
    name = _HOSTNAME.match(line) or _LABEL.match(line)
    machine, boot = _MACHINE.search(line), _BOOT.search(line)
    if not (name or machine or boot):
        return None
    return HostIdentity(
        cite=text.cite(index),
        netns=text.netns,
        hostname=name["name"] if name else None,
        machine_id=machine["id"] if machine else None,
        boot_id=boot["id"] if boot else None,
    )


def _conflict(host: HostIdentity, found: HostIdentity) -> bool:
    """Whether both tell the same fact: then another host begins."""
    return any(
        getattr(host, fact) is not None and getattr(found, fact) is not None
        for fact in ("hostname", "machine_id", "boot_id")
    )


def _merged(host: HostIdentity, found: HostIdentity) -> HostIdentity:
    return replace(
        host,
        hostname=host.hostname or found.hostname,
        machine_id=host.machine_id or found.machine_id,
        boot_id=host.boot_id or found.boot_id,
    )

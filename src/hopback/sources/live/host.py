"""This host, live: every network namespace we may enter, through raw netlink and /proc.

Nothing is changed and no module is loaded: the kernel is asked only by requests that list, and
other programs are run only to list the rules of packet filters that are there. Without root what
the system refuses is said, and the rest is read.
"""

import errno
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from hopback.snapshot.model import Builder, Snapshot
from hopback.snapshot.rows import Link, Row, Tunnel
from hopback.snapshot.table import Problem
from hopback.sources.live import (
    addresses,
    connections,
    counters,
    fdb,
    filters,
    ipvs,
    kernel_log,
    libvirt,
    links,
    members,
    namespaces,
    neighbours,
    peers,
    routes,
    rules,
    system,
    tc,
    tunnels,
)
from hopback.sources.live.namespaces import Netns
from hopback.sources.live.netlink import Netlink
from hopback.sources.live.reading import Names, Reading

Progress = Callable[[str], None]


class _Devices(NamedTuple):
    """A namespace's device rows, kept back until all names are known."""

    netns: str
    rows: tuple[Row, ...]
    names: Names
    where: Mapping[int, str]  # netnsid -> namespace


def read(netns: tuple[str, ...] = (), progress: Progress | None = None) -> Snapshot:
    """The tables of this host, or of the named network namespaces only.

    ``netns`` are names under /run/netns (or ``pid:N``); one that is not there is a problem that
    lists those that are. ``progress`` is told the name of each namespace before it is read.
    """
    host = socket.gethostname()
    builder = Builder(host, at=time.time_ns())
    found = namespaces.find()
    devices: list[_Devices] = []
    for chosen in _choose(builder, found, netns):
        if progress is not None:
            progress(chosen.name)
        devices += _enter(builder, host, chosen, found.namespaces)
    _add_devices(builder, devices)
    return builder.build()


def _choose(builder: Builder, found: namespaces.Found, wanted: Sequence[str]) -> list[Netns]:
    """The namespaces to read; what cannot be chosen, or cannot even be seen, is a problem."""
    if wanted:
        known = {netns.name: netns for netns in found.namespaces if netns.name}
        for name in wanted:
            if name not in known:
                names = ", ".join(known) or "none"
                message = f"there is no network namespace of this name (known: {names})"
                builder.problems.append(Problem(f"network namespace {name}", 0, message))
        return [known[name] for name in dict.fromkeys(wanted) if name in known]
    for name in found.stale:
        message = "the name is left over: no network namespace is mounted there"
        builder.problems.append(Problem(f"network namespace {name}", 0, message))
    if found.hidden:
        message = (
            f"the network namespaces of {found.hidden} processes could not be looked for: "
            "needs CAP_SYS_PTRACE (sudo hopback …)"
        )
        builder.problems.append(Problem("network namespaces", 0, message))
    return list(found.namespaces)


def _enter(
    builder: Builder, host: str, netns: Netns, among: Sequence[Netns]
) -> tuple[_Devices, ...]:
    """Read one namespace in a thread of its own; () if it could not be entered."""
    reading = Reading(builder, host, netns.name)
    try:
        return (namespaces.within(netns, partial(_read_inside, reading, among)),)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.EPERM:
            reason = "needs CAP_SYS_ADMIN (sudo hopback …)"
        elif error.errno in (errno.ENOENT, errno.ESRCH):
            reason = "it is gone"
        name = f"network namespace {netns.name}"
        builder.problems.append(Problem(name, 0, f"could not be entered: {reason}"))
        return ()


def _read_inside(reading: Reading, among: Sequence[Netns]) -> _Devices:
    """All tables of the namespace that the calling thread is in; devices first, for their names."""
    devices = _Devices(reading.netns, (), reading.names, {})
    try:
        with Netlink() as link:
            rows = tuple(links.read(reading, link))
            ids = peers.wanted(row for row in rows if isinstance(row, Link))
            devices = devices._replace(rows=rows, where=peers.resolve(link, ids, among))
            for table in (fdb, members, addresses, neighbours, routes, rules, tc):
                table.read(reading, link)
    except OSError as error:  # no netlink at all, as in some sandboxes
        reading.refuse(Link, "RTM_GETLINK (ip -d link show)", error)
    enslaved = {row.name for row in devices.rows if isinstance(row, Link) and row.master}
    system.read_settings(reading, enslaved)
    filters.read(reading)
    connections.read(reading)
    ipvs.read(reading)
    counters.read(reading)
    wireguard = any(isinstance(row, Tunnel) and row.kind == "wireguard" for row in devices.rows)
    tunnels.read_peers(reading, there=wireguard)
    if not reading.netns:
        system.read_host(reading)
        libvirt.read(reading)
        ipvs.read_configuration(reading)
        kernel_log.read(reading)
    return devices


def _add_devices(builder: Builder, devices: Sequence[_Devices]) -> None:
    """Add the device rows, each veth with its other end named where that was read."""
    names = {found.netns: found.names for found in devices}
    for found in devices:
        builder.add(
            peers.placed(row, found.where, names) if isinstance(row, Link) else row
            for row in found.rows
        )

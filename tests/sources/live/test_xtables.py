"""Legacy tables, made and filled through the interface that iptables-legacy uses."""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from hopback.lab.netns.namespace import Namespace
from hopback.snapshot.rows import PacketFilter
from hopback.sources.live import programs, read, xtables
from hopback.sources.live.xtables import IPV4, IPV6, Layout

pytestmark = pytest.mark.kernel

SET_REPLACE = 64
FORWARD = 2
DROP = -1


@pytest.fixture
def netns() -> Iterator[None]:
    """A namespace of its own, whose tables go with it."""
    with Namespace.anonymous():
        yield


def blob(layout: Layout) -> tuple[tuple[int, ...], bytes]:
    """The filter table, created by asking for it; skips where the kernel has none."""
    with socket.socket(layout.family, socket.SOCK_RAW, socket.IPPROTO_RAW) as handle:
        question = b"filter".ljust(xtables._INFO.size, b"\0")
        try:
            info = xtables._INFO.unpack(xtables._ask(handle, layout, 64, question))
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOPROTOOPT):
                pytest.skip("this kernel has no legacy filter table")
            raise
        asked = xtables._ENTRIES.pack(b"filter", info[13]) + bytes(info[13])
        return info[1:], xtables._ask(handle, layout, 65, asked)[xtables._ENTRIES.size :]


def replace(layout: Layout, info: tuple[int, ...], entries: bytes) -> None:
    """What iptables-restore does."""
    replaced = blob(layout)[0][11]  # the kernel hands the old rules' counters back
    counters = ctypes.create_string_buffer(16 * replaced)
    head = struct.pack(
        "=32sIII5I5IIQ",
        b"filter",
        info[0],
        info[11],
        len(entries),
        *info[1:11],
        replaced,
        ctypes.addressof(counters),
    )
    libc = ctypes.CDLL(None, use_errno=True)
    with socket.socket(layout.family, socket.SOCK_RAW, socket.IPPROTO_RAW) as handle:
        done = libc.setsockopt(
            handle.fileno(), layout.level, SET_REPLACE, head + entries, len(head + entries)
        )
    assert done == 0, os.strerror(ctypes.get_errno())


def with_rule(
    layout: Layout, info: tuple[int, ...], entries: bytes, interface: bytes, mask: bytes
) -> tuple[tuple[int, ...], bytes]:
    """A rule before FORWARD's policy: a copy of it with an ingress interface."""
    start = info[1 + FORWARD]
    _, size = xtables._OFFSETS.unpack_from(entries, start + layout.offsets)
    rule = bytearray(entries[start : start + size])
    rule[layout.interfaces : layout.interfaces + 16] = interface.ljust(16, b"\0")
    rule[layout.interfaces + 32 : layout.interfaces + 48] = mask.ljust(16, b"\0")
    # hooks that the table does not have hold anything
    starts = [at + size * (start < at < len(entries)) for at in info[1:6]]
    ends = [at + size * (start <= at < len(entries)) for at in info[6:11]]
    changed = (info[0], *starts, *ends, info[11] + 1)
    return changed, entries[:start] + bytes(rule) + entries[start:]


def found(layout: Layout) -> dict[str, tuple[bool, int, tuple[str, ...] | None]]:
    return {c.name: (c.accepts, c.rules, c.devices) for c in xtables.chains(layout, "filter")}


@pytest.mark.parametrize("layout", [IPV4, IPV6], ids=["ip", "ip6"])
def test_chains(netns: None, layout: Layout) -> None:
    """Empty, with a rule for one device, with one for many, and with a policy."""
    info, entries = blob(layout)
    idle = (True, 0, ())
    assert found(layout) == {"INPUT": idle, "FORWARD": idle, "OUTPUT": idle}

    once = with_rule(layout, info, entries, b"tap7", b"\xff" * 5)
    replace(layout, *once)
    assert found(layout)["FORWARD"] == (True, 1, ("tap7",))
    assert found(layout)["OUTPUT"] == idle

    replace(layout, *with_rule(layout, *once, b"vnet", b"\xff" * 4))  # -i vnet+
    assert found(layout)["FORWARD"] == (True, 2, None)

    at = info[6 + FORWARD]
    target, _ = xtables._OFFSETS.unpack_from(entries, at + layout.offsets)
    dropping = bytearray(entries)
    struct.pack_into("=i", dropping, at + target + 32, DROP)
    replace(layout, info, bytes(dropping))
    assert found(layout)["FORWARD"] == (False, 0, None)


def test_a_table_is_read_only_if_it_is_there(netns: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading does not create the table; once it filters, it is a row, whatever is installed."""
    monkeypatch.setattr(programs, "_PATH", "")
    names = Path("/proc/thread-self/net/ip_tables_names")
    if not names.exists():
        pytest.skip("this kernel has no legacy tables")
    assert not [r for r in read().table(PacketFilter).rows if r.netns == ""]
    assert names.read_text() == ""
    info, entries = blob(IPV4)
    assert not [r for r in read().table(PacketFilter).rows if r.netns == ""]
    replace(IPV4, *with_rule(IPV4, info, entries, b"tap7", b"\xff" * 5))
    rows = [r for r in read().table(PacketFilter).rows if r.netns == ""]
    assert [(r.family, r.name, r.devices) for r in rows] == [
        ("ip", "iptables filter FORWARD", ("tap7",))
    ]

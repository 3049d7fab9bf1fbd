"""Legacy iptables and ip6tables tables: getsockopt(2) on a raw socket.

``include/uapi/linux/netfilter_ipv4/ip_tables.h`` and ``netfilter_ipv6/ip6_tables.h``. Asked only
for tables that /proc lists: asking for another would create it.
"""

import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

_GET_INFO, _GET_ENTRIES = 64, 65
_INFO = struct.Struct("=32sI5I5III")  # name, valid_hooks, hook_entry, underflow, entries, size
_ENTRIES = struct.Struct("=32sI4x")
_OFFSETS = struct.Struct("=HH")  # target_offset, next_offset
_VERDICT = struct.Struct("=i")
_NF_ACCEPT = -2  # a verdict is stored as -NF_ACCEPT - 1
_HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")


class Layout(NamedTuple):
    """Where things are in struct ipt_entry and struct ip6t_entry, and how they are asked for."""

    family: int
    level: int
    interfaces: int
    inversions: int
    offsets: int


IPV4 = Layout(socket.AF_INET, socket.IPPROTO_IP, 16, 83, 88)
IPV6 = Layout(socket.AF_INET6, socket.IPPROTO_IPV6, 64, 132, 140)


class Chain(NamedTuple):
    """A base chain. ``devices`` are those its rules name, None if one may hit any."""

    name: str
    accepts: bool
    rules: int
    devices: tuple[str, ...] | None


def chains(layout: Layout, table: str) -> tuple[Chain, ...]:
    """The base chains of a table of this namespace. OSError (EPERM without CAP_NET_ADMIN)."""
    name = table.encode()
    with socket.socket(layout.family, socket.SOCK_RAW, socket.IPPROTO_RAW) as handle:
        info = _INFO.unpack(_ask(handle, layout, _GET_INFO, name.ljust(_INFO.size, b"\0")))
        size = info[13]
        question = _ENTRIES.pack(name, size) + bytes(size)
        entries = _ask(handle, layout, _GET_ENTRIES, question)[_ENTRIES.size :]
    valid, starts, ends = info[1], info[2:7], info[7:12]
    return tuple(
        _chain(layout, entries, hook, starts[number], ends[number])
        for number, hook in enumerate(_HOOKS)
        if valid & 1 << number
    )


def _ask(handle: socket.socket, layout: Layout, option: int, question: bytes) -> bytes:
    """getsockopt with a buffer that is read, too; Python's own only hands one out."""
    buffer = ctypes.create_string_buffer(question, len(question))
    length = ctypes.c_uint32(len(question))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.getsockopt(handle.fileno(), layout.level, option, buffer, ctypes.byref(length)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return buffer.raw


def _chain(layout: Layout, entries: bytes, hook: str, start: int, end: int) -> Chain:
    """The rules stand from ``start`` to ``end``, where the policy is."""
    named = [_devices(layout, entries, at) for at in _walk(layout, entries, start, end)]
    target, _ = _OFFSETS.unpack_from(entries, end + layout.offsets)
    (verdict,) = _VERDICT.unpack_from(entries, end + target + 32)  # after xt_entry_target
    anywhere = verdict != _NF_ACCEPT or not all(named)
    devices = None if anywhere else tuple(sorted(set().union(*named)))
    return Chain(hook, verdict == _NF_ACCEPT, len(named), devices)


def _walk(layout: Layout, entries: bytes, start: int, end: int) -> Iterator[int]:
    while start < end:
        yield start
        _, step = _OFFSETS.unpack_from(entries, start + layout.offsets)
        start += max(step, 1)  # the kernel never sends 0; it must not hold us if it does


def _devices(layout: Layout, entries: bytes, at: int) -> set[str]:
    """The devices that a rule names; none if it does not, inverts them (``! -i``) or means many."""
    place = at + layout.interfaces
    names = (entries[place : place + 16], entries[place + 16 : place + 32])
    masks = (entries[place + 32 : place + 48], entries[place + 48 : place + 64])
    found: set[str] = set()
    for bit, name, mask in zip((1, 2), names, masks, strict=True):
        whole = name.partition(b"\0")[0]
        exact = mask.startswith(b"\xff" * (len(whole) + 1))  # the NUL too, else it ends in +
        if whole and exact and not entries[at + layout.inversions] & bit:
            found.add(whole.decode(errors="replace"))
    return found

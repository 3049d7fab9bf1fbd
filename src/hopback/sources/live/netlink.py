"""A minimal netlink client: one request, the answer's messages, nothing parsed that is not needed.

It only ever asks (RTM_GET*, NFT_MSG_GET*, IPVS_CMD_GET_*): no request made here changes anything.
The framing is that of RFC 3549 §2 and ``include/uapi/linux/netlink.h``; integers are in host byte
order.
"""

import errno
import os
import socket
import struct
import sys
from types import TracebackType
from typing import NamedTuple

from hopback.frames.mac import Mac, mac_from_bytes

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12
NETLINK_GENERIC = 16

TICK = 10_000_000
"""One clock_t in ns: the kernel tells times to user space in USER_HZ, 100 on all we know."""

_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_F_REQUEST, _F_DUMP_INTR, _F_DUMP = 0x01, 0x10, 0x300
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # nlattr: length, type
_ERROR = struct.Struct("=i")
_NESTED_MASK = 0x3FFF  # NLA_TYPE_MASK: without NLA_F_NESTED and NLA_F_NET_BYTEORDER

_BUFFER = 1 << 20
_PATIENCE = 10.0  # seconds; the kernel answers while we ask, so this ends only what is broken
_TRIES = 5
_SO_RCVBUF = 4 << 20

Attributes = dict[int, bytes]


class Dump(NamedTuple):
    """The payloads of one dump's messages (headers of netlink cut off), in the kernel's order.

    ``whole`` is False when the table went on changing while it was read: a row may be missing.
    """

    messages: list[bytes]
    whole: bool = True


class Netlink:
    """A netlink socket in the network namespace of the calling thread. Errors are OSError."""

    def __init__(self, protocol: int = NETLINK_ROUTE) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol
        )
        self._socket.settimeout(_PATIENCE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SO_RCVBUF)
        self._socket.bind((0, 0))
        self._sequence = 0
        self._buffer = bytearray(_BUFFER)

    def __enter__(self) -> "Netlink":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._socket.close()

    def dump(self, kind: int, body: bytes) -> Dump:
        """All that the kernel lists for request ``kind``; asked again when it changed meanwhile."""
        found = Dump([], whole=False)
        for _ in range(_TRIES):
            found = self._collect(kind, _F_DUMP, body)
            if found.whole:
                break
        return found

    def ask(self, kind: int, body: bytes) -> bytes:
        """The payload of the one message that answers ``kind``."""
        return self._collect(kind, 0, body).messages[0]

    def _collect(self, kind: int, flags: int, body: bytes) -> Dump:
        self._sequence += 1
        size = _HEADER.size + len(body)
        self._socket.send(_HEADER.pack(size, kind, _F_REQUEST | flags, self._sequence, 0) + body)
        messages: list[bytes] = []
        whole, more = True, True
        while more:
            try:
                data = self._receive()
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                whole = False  # a part was lost, but the rest has to be fetched before asking again
                continue
            more, steady = self._split(data, messages, dumping=bool(flags))
            whole = whole and steady
        return Dump(messages, whole)

    def _receive(self) -> bytes:
        size = self._socket.recv_into(self._buffer, 0, socket.MSG_TRUNC)
        if size > _BUFFER:
            raise OSError(errno.EMSGSIZE, "netlink message larger than the buffer")
        return bytes(self._buffer[:size])

    def _split(self, data: bytes, messages: list[bytes], dumping: bool) -> tuple[bool, bool]:
        """Add the messages of one datagram; whether more will come, and none was interrupted."""
        position, end, header = 0, len(data), _HEADER.size
        unpack, add, sequence = _HEADER.unpack_from, messages.append, self._sequence
        more, steady = True, True
        while position + header <= end:
            length, kind, flags, number, _ = unpack(data, position)
            if length < header:
                raise OSError(errno.EBADMSG, "netlink message shorter than its header")
            if number == sequence:  # else a late answer to a dump that was given up
                if flags & _F_DUMP_INTR:
                    steady = False
                if kind in (_NLMSG_DONE, _NLMSG_ERROR):
                    _raise_errno(data[position + header : position + length])
                    more = False
                else:
                    add(data[position + header : position + length])
                    more = dumping
            position += length + 3 & ~3
        return more, steady


def _raise_errno(payload: bytes) -> None:
    """NLMSG_ERROR, and NLMSG_DONE since 4.15, begin with a negative errno."""
    if len(payload) >= _ERROR.size and (code := _ERROR.unpack_from(payload)[0]) < 0:
        raise OSError(-code, os.strerror(-code))


def attributes(data: bytes, position: int = 0) -> Attributes:
    """The attributes that follow ``position``, by type; of a repeated type the last."""
    return dict(attribute_list(data, position))


def attribute_list(data: bytes, position: int = 0) -> list[tuple[int, bytes]]:
    """The attributes that follow ``position``, in order, where a type may repeat."""
    found: list[tuple[int, bytes]] = []
    unpack, end = _ATTRIBUTE.unpack_from, len(data) - 4
    while position <= end:
        length, kind = unpack(data, position)
        if length < 4:
            break
        found.append((kind & _NESTED_MASK, data[position + 4 : position + length]))
        position += length + 3 & ~3
    return found


def number(raw: bytes) -> int:
    """An unsigned attribute of any width, in host byte order."""
    return int.from_bytes(raw, sys.byteorder)


def number_of(found: Attributes, kind: int) -> int | None:
    """The number in attribute ``kind``; None if the kernel did not send it."""
    raw = found.get(kind)
    return None if raw is None else number(raw)


def mac_of(found: Attributes, kind: int) -> Mac | None:
    """The MAC in ``kind``; None for the IP address of a tunnel, or InfiniBand's twenty bytes."""
    raw = found.get(kind)
    return mac_from_bytes(raw) if raw is not None and len(raw) == 6 else None


def text(raw: bytes) -> str:
    """A string attribute without its terminating NUL."""
    return raw.rstrip(b"\0").decode(errors="replace")


def pack_attribute(kind: int, value: bytes) -> bytes:
    """An attribute for a request, padded to four bytes."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + b"\0" * (-len(value) % 4)

"""IP addresses of devices: RTM_GETADDR (``include/uapi/linux/if_addr.h``)."""

import socket
import struct
from collections.abc import Iterable, Iterator

from hopback.snapshot.rows import Address
from hopback.sources.live.netlink import Netlink, attributes, number
from hopback.sources.live.reading import Origin, Reading

_RTM_GETADDR = 22
_IFADDRMSG = struct.Struct("=BBBBI")  # family, prefixlen, flags, scope, ifindex
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8

_SECONDARY, _PERMANENT = 0x01, 0x80
_FLAGS = {
    0x02: "nodad",
    0x04: "optimistic",
    0x08: "dadfailed",
    0x10: "home",
    0x20: "deprecated",
    0x40: "tentative",
    0x100: "mngtmpaddr",
    0x200: "noprefixroute",
    0x400: "autojoin",
    0x800: "stable-privacy",
}

SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
"""RT_SCOPE_* as iproute2 spells them."""


def read(reading: Reading, link: Netlink) -> None:
    """Add every address of this namespace, both families."""
    name, body = "RTM_GETADDR (ip addr show)", _IFADDRMSG.pack(0, 0, 0, 0, 0)
    reading.take(link, _RTM_GETADDR, [(name, body)], decode, Address)


def decode(origin: Origin, messages: Iterable[bytes]) -> Iterator[Address]:
    """The rows of one dump; families other than IPv4 and IPv6 give none."""
    for line, message in enumerate(messages, 1):
        family, length, flags, scope, index = _IFADDRMSG.unpack_from(message)
        found = attributes(message, _IFADDRMSG.size)
        # on a point-to-point device IFA_ADDRESS is the peer's, IFA_LOCAL always ours
        address = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
        if family not in (socket.AF_INET, socket.AF_INET6) or address is None:
            continue
        if _IFA_FLAGS in found:  # since 3.14: the header has room for eight only
            flags = number(found[_IFA_FLAGS])
        yield Address(
            cite=origin.cite(line),
            netns=origin.netns,
            dev=origin.names[index],
            address=format_ip(address),
            prefix_len=length,
            scope=SCOPES.get(scope, str(scope)),
            flags=tuple(_flag_words(flags, family)),
        )


def _flag_words(flags: int, family: int) -> Iterator[str]:
    """The words of iproute2: it says ``dynamic`` of what is not permanent, not the reverse."""
    if flags & _SECONDARY:
        yield "temporary" if family == socket.AF_INET6 else "secondary"
    if not flags & _PERMANENT:
        yield "dynamic"
    for bit, word in _FLAGS.items():
        if flags & bit:
            yield word


def format_ip(raw: bytes) -> str:
    """An IPv4 or IPv6 address in wire order as text; hexadecimal digits if it is neither."""
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw)
    if len(raw) == 16:
        return socket.inet_ntop(socket.AF_INET6, raw)
    return raw.hex()

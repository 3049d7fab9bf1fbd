"""Policy routing rules: RTM_GETRULE (``include/uapi/linux/fib_rules.h``)."""

import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Literal

from hopback.snapshot.rows import Rule
from hopback.sources.live.netlink import Attributes, Netlink, attributes, number, number_of, text
from hopback.sources.live.reading import Origin, Reading
from hopback.sources.live.routes import prefix
from hopback.sources.live.tables import table_name

_RTM_GETRULE = 34
_HEADER = struct.Struct("=BBBBBxxBI")  # family, dst_len, src_len, tos, table, action, flags
_DST, _SRC, _IIF, _GOTO, _PRIORITY, _FWMARK, _SUPPRESS = 1, 2, 3, 4, 6, 10, 14
_TABLE, _FWMASK, _OIF, _L3MDEV, _UIDS, _IP_PROTO, _SPORT, _DPORT = 15, 16, 17, 19, 20, 22, 23, 24
_INVERT = 0x2
_TO_TABLE, _TO_GOTO = 1, 2
_ACTIONS = {3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_ALL_BITS = 0xFFFF_FFFF
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 132: "sctp"}


def read(reading: Reading, link: Netlink) -> None:
    """Add the rules of both families."""
    requests = [
        (
            f"RTM_GETRULE IPv{digit} (ip -{digit} rule show)",
            _HEADER.pack(family, 0, 0, 0, 0, 0, 0),
        )
        for digit, family in ((4, socket.AF_INET), (6, socket.AF_INET6))
    ]
    reading.take(link, _RTM_GETRULE, requests, decode, Rule)


def decode(origin: Origin, messages: Iterable[bytes]) -> Iterator[Rule]:
    """The rows of one dump, selectors and actions in the words of ``ip rule``."""
    for line, message in enumerate(messages, 1):
        family, to_bits, from_bits, tos, table, action, flags = _HEADER.unpack_from(message)
        found = attributes(message, _HEADER.size)
        version: Literal[4, 6] = 4 if family == socket.AF_INET else 6
        words = [
            *(["not"] if flags & _INVERT else []),
            "from",
            _prefix(found.get(_SRC), from_bits, version),
            *(["to", _prefix(found[_DST], to_bits, version)] if _DST in found else []),
            *([f"tos {tos:#04x}"] if tos else []),
            *_selectors(found),
        ]
        yield Rule(
            cite=origin.cite(line),
            netns=origin.netns,
            priority=number(found.get(_PRIORITY, b"")),
            family=version,
            selector=" ".join(words),
            action=_action(action, number_of(found, _TABLE) or table, found),
        )


def _prefix(raw: bytes | None, bits: int, version: Literal[4, 6]) -> str:
    return "all" if raw is None and not bits else prefix(raw, bits, version)


def _selectors(found: Attributes) -> Iterator[str]:
    """The selectors after from and to, in the order in which iproute2 prints them."""
    if _FWMARK in found or _FWMASK in found:
        mark, mask = number(found.get(_FWMARK, b"")), number(found.get(_FWMASK, b""))
        if mark or mask:
            yield f"fwmark {mark:#x}" + (f"/{mask:#x}" if mask != _ALL_BITS else "")
    for kind, word in ((_IIF, "iif"), (_OIF, "oif")):
        if kind in found:
            yield f"{word} {text(found[kind])}"
    if _UIDS in found:
        low, high = struct.unpack("=II", found[_UIDS])
        yield f"uidrange {low}-{high}"
    if protocol := number(found.get(_IP_PROTO, b"")):
        yield f"ipproto {_PROTOCOLS.get(protocol, protocol)}"
    for kind, word in ((_SPORT, "sport"), (_DPORT, "dport")):
        if kind in found:
            low, high = struct.unpack("=HH", found[kind])
            yield f"{word} {low}" if low == high else f"{word} {low}-{high}"


def _action(action: int, table: int, found: Attributes) -> str:
    if action == _TO_GOTO:
        return f"goto {number(found.get(_GOTO, b''))}"
    if action != _TO_TABLE:
        return _ACTIONS.get(action, f"action {action}")
    if any(found.get(_L3MDEV, b"")):
        return "lookup [l3mdev-table]"
    # -1 (all bits set) says that nothing is suppressed
    suppressed = number_of(found, _SUPPRESS)
    if suppressed is None or suppressed == _ALL_BITS:
        return f"lookup {table_name(table)}"
    return f"lookup {table_name(table)} suppress_prefixlength {suppressed}"

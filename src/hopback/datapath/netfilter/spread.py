"""Which of several addresses NAT takes: a hash of both ends (nf_nat_core.c:find_best_ips_proto).

As on hosts whose processor keeps the low byte first.
"""

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from hopback.datapath.skb import End, Ip

_WORD = 0xFFFF_FFFF
_INIT = 0xDEADBEEF  # JHASH_INITVAL


def spread(source: Ip, target: Ip, end: End, first: Ip, last: Ip) -> Ip:
    """The address between ``first`` and ``last`` that the given end gets."""
    size = len(first.packed)
    low, high = _words(first.packed, ">"), _words(last.packed, ">")
    ends = {"source": _words(source.packed, "<"), "target": _words(target.packed, "<")}
    number = _hash([*ends["source"], 0, 0, 0][:4], ends["target"][-1])
    picked: list[int] = []
    is_free = False
    for at, (least, most) in enumerate(zip(low, high, strict=True)):
        start, count = (0, _WORD) if is_free else (least, most - least + 1 & _WORD)
        picked.append(start + (number * count >> 32) & _WORD)
        is_free = is_free or picked[-1] != most
        ends[end][at] = int.from_bytes(picked[-1].to_bytes(4, "big"), "little")
        number ^= ends["target"][at]
    packed = struct.pack(f">{size // 4}I", *picked)
    return IPv4Address(packed) if size == 4 else IPv6Address(packed)


def _words(packed: bytes, order: str) -> list[int]:
    return list(struct.unpack(f"{order}{len(packed) // 4}I", packed))


def _hash(words: Sequence[int], start: int) -> int:
    """include/linux/jhash.h:jhash2 of four words."""
    a = b = c = _INIT + (len(words) << 2) + start & _WORD
    a, b, c = a + words[0] & _WORD, b + words[1] & _WORD, c + words[2] & _WORD
    for by in (4, 6, 8, 16, 19, 4):  # __jhash_mix, which takes turns
        a = (a - c & _WORD) ^ _rotated(c, by)
        c = c + b & _WORD
        a, b, c = b, c, a
    a = a + words[3] & _WORD
    for by in (14, 11, 25, 16, 4, 14, 24):  # __jhash_final
        c = (c ^ b) - _rotated(b, by) & _WORD
        a, b, c = b, c, a
    return b


def _rotated(value: int, by: int) -> int:
    return (value << by | value >> 32 - by) & _WORD

"""Group records, which IGMPv3 (RFC 3376 4.2) and MLDv2 (RFC 3810 5.2) share but for the address."""

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Generic, TypeVar

from msgspec import Struct

from hopback.frames.raw import Rest, cut, rest

A = TypeVar("A", IPv4Address, IPv6Address)

IS_INCLUDE, IS_EXCLUDE, TO_INCLUDE, TO_EXCLUDE, ALLOW_NEW, BLOCK_OLD = range(1, 7)

_RECORD = struct.Struct("!BBH")


class Record(Struct, Generic[A], frozen=True, gc=False):
    """What a host wants of one group; ``aux`` is a multiple of four bytes."""

    kind: int
    group: A
    sources: tuple[A, ...] = ()
    aux: bytes = b""


AnyRecord = Record[IPv4Address] | Record[IPv6Address]


def decode_addresses(
    what: str, raw: bytes, count: int, address: type[A], missing: int
) -> tuple[tuple[A, ...], Rest]:
    """As many of the ``count`` addresses announced as are whole, and what is left over."""
    size = _size(address)
    whole = min(count, len(raw) // size)
    found = tuple(address(raw[i * size : (i + 1) * size]) for i in range(whole))
    left = raw[whole * size :]
    if whole < count:
        return found, cut(what, left, (count - whole) * size)
    return found, rest(what, left, missing)


def decode_records(
    what: str, raw: bytes, count: int, address: type[A], missing: int
) -> tuple[tuple[Record[A], ...], Rest]:
    """As many of the ``count`` records announced as are whole, and what is left over."""
    found: list[Record[A]] = []
    at, fixed = 0, _RECORD.size + _size(address)
    for _ in range(count):
        if len(raw) - at < fixed:
            return tuple(found), cut(what, raw[at:], fixed)
        kind, words, sources = _RECORD.unpack_from(raw, at)
        end_sources = at + fixed + sources * _size(address)
        end = end_sources + words * 4
        if end > len(raw):
            return tuple(found), cut(what, raw[at:], end - at)
        group = address(raw[at + _RECORD.size : at + fixed])
        listed, _ = decode_addresses(what, raw[at + fixed : end_sources], sources, address, 0)
        found.append(Record(kind, group, listed, raw[end_sources:end]))
        at = end
    return tuple(found), rest(what, raw[at:], missing)


def encode_addresses(addresses: Iterable[IPv4Address | IPv6Address]) -> bytes:
    """One after the other."""
    return b"".join(address.packed for address in addresses)


def encode_record(record: Record[A]) -> bytes:
    """One record, its counts computed."""
    head = _RECORD.pack(record.kind, len(record.aux) // 4, len(record.sources))
    return head + record.group.packed + encode_addresses(record.sources) + record.aux


def _size(address: type[IPv4Address] | type[IPv6Address]) -> int:
    return 4 if address is IPv4Address else 16

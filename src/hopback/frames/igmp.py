"""IGMPv1 (RFC 1112), v2 (RFC 2236) and v3 (RFC 3376), ``net/ipv4/igmp.c``."""

import struct
from ipaddress import IPv4Address

from msgspec import Struct

from hopback.frames.checksum import fill
from hopback.frames.membership import (
    Record,
    decode_addresses,
    decode_records,
    encode_addresses,
    encode_record,
)
from hopback.frames.raw import Malformed, Raw, Rest, cut, rest

PROTOCOL = 2

QUERY = 0x11
V1_REPORT = 0x12
V2_REPORT = 0x16
V2_LEAVE = 0x17
V3_REPORT = 0x22

_V2 = struct.Struct("!BBH4s")
_V3_QUERY = struct.Struct("!BBH4sBBH")
_V3_REPORT = struct.Struct("!BBHHH")


class Igmp(Struct, frozen=True, gc=False):
    """An eight byte message of version 1 or 2; a query whose ``max_response`` is 0 is version 1."""

    kind: int
    group: IPv4Address
    max_response: int = 0  # tenths of a second
    tail: Rest = Raw()
    checksum: int | None = None


class IgmpV3Query(Struct, frozen=True, gc=False):
    """A query; ``flags`` holds reserved bits, S and QRV. ``count`` None counts ``sources``."""

    group: IPv4Address
    sources: tuple[IPv4Address, ...] = ()
    max_response: int = 0  # the code of RFC 3376 4.1.1, tenths of a second below 128
    flags: int = 0
    interval: int = 0  # QQIC, seconds below 128
    count: int | None = None
    tail: Rest = Raw()
    checksum: int | None = None


class IgmpV3Report(Struct, frozen=True, gc=False):
    """A report; ``count`` None counts ``records``."""

    records: tuple[Record[IPv4Address], ...]
    reserved: int = 0  # the byte after the type
    reserved2: int = 0  # the two after the checksum
    count: int | None = None
    tail: Rest = Raw()
    checksum: int | None = None


AnyIgmp = Igmp | IgmpV3Query | IgmpV3Report


def decode(raw: bytes, missing: int) -> AnyIgmp | Malformed:
    """The message in ``raw``, at whose end ``missing`` bytes were not captured."""
    if len(raw) < _V2.size:
        return cut("igmp", raw, _V2.size)
    kind, max_response, checksum, group = _V2.unpack_from(raw)
    if kind == V3_REPORT:
        return _decode_report(raw, missing)
    if kind == QUERY and len(raw) + missing >= _V3_QUERY.size:
        return _decode_v3_query(raw, missing)
    tail = rest("igmp", raw[_V2.size :], missing)
    if kind == QUERY and tail != Raw():  # to be ignored, RFC 3376 7.1
        tail = Malformed("igmp query: neither 8 bytes nor at least 12", tail.raw)
    return Igmp(kind, IPv4Address(group), max_response, tail, checksum)


def _decode_v3_query(raw: bytes, missing: int) -> IgmpV3Query | Malformed:
    if len(raw) < _V3_QUERY.size:
        return cut("igmpv3 query", raw, _V3_QUERY.size)
    _, response, checksum, group, flags, interval, count = _V3_QUERY.unpack_from(raw)
    body = raw[_V3_QUERY.size :]
    sources, tail = decode_addresses("igmpv3 sources", body, count, IPv4Address, missing)
    return IgmpV3Query(
        IPv4Address(group), sources, response, flags, interval, count, tail, checksum
    )


def _decode_report(raw: bytes, missing: int) -> IgmpV3Report:
    _, reserved, checksum, reserved2, count = _V3_REPORT.unpack_from(raw)
    body = raw[_V3_REPORT.size :]
    records, tail = decode_records("igmpv3 record", body, count, IPv4Address, missing)
    return IgmpV3Report(records, reserved, reserved2, count, tail, checksum)


def encode(igmp: AnyIgmp, addresses: bytes) -> bytes:
    """The message; its checksum covers no addresses."""
    return fill(_body(igmp) + igmp.tail.raw, 2, igmp.checksum)


def _body(igmp: AnyIgmp) -> bytes:
    match igmp:
        case Igmp():
            return _V2.pack(igmp.kind, igmp.max_response, 0, igmp.group.packed)
        case IgmpV3Query():
            count = len(igmp.sources) if igmp.count is None else igmp.count
            fixed = (QUERY, igmp.max_response, 0, igmp.group.packed)
            head = _V3_QUERY.pack(*fixed, igmp.flags, igmp.interval, count)
            return head + encode_addresses(igmp.sources)
        case IgmpV3Report():
            count = len(igmp.records) if igmp.count is None else igmp.count
            head = _V3_REPORT.pack(V3_REPORT, igmp.reserved, 0, igmp.reserved2, count)
            return head + b"".join(map(encode_record, igmp.records))

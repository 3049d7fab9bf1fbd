"""Multicast Listener Discovery: MLDv1 (RFC 2710) and MLDv2 (RFC 3810), ``net/ipv6/mcast.c``."""

import struct
from ipaddress import IPv6Address

from msgspec import Struct

from hopback.frames.icmp import seal_v6
from hopback.frames.membership import (
    Record,
    decode_addresses,
    decode_records,
    encode_addresses,
    encode_record,
)
from hopback.frames.raw import Malformed, Raw, Rest, cut, rest

QUERY = 130
V1_REPORT = 131
V1_DONE = 132
V2_REPORT = 143

_V1 = struct.Struct("!BBHHH16s")
_V2_QUERY = struct.Struct("!BBHHH16sBBH")
_V2_REPORT = struct.Struct("!BBHHH")


class Mld(Struct, frozen=True, gc=False):
    """An MLDv1 query, report or done; ``max_delay`` in milliseconds."""

    kind: int
    group: IPv6Address
    max_delay: int = 0
    reserved: int = 0
    code: int = 0
    tail: Rest = Raw()
    checksum: int | None = None


class MldV2Query(Struct, frozen=True, gc=False):
    """A query; ``flags`` holds reserved bits, S and QRV. ``count`` None counts ``sources``."""

    group: IPv6Address
    sources: tuple[IPv6Address, ...] = ()
    max_response: int = 0  # the code of RFC 3810 5.1.3, milliseconds below 0x8000
    flags: int = 0
    interval: int = 0  # QQIC, seconds below 128
    reserved: int = 0
    code: int = 0
    count: int | None = None
    tail: Rest = Raw()
    checksum: int | None = None


class MldV2Report(Struct, frozen=True, gc=False):
    """A report; ``count`` None counts ``records``."""

    records: tuple[Record[IPv6Address], ...]
    reserved: int = 0
    code: int = 0
    count: int | None = None
    tail: Rest = Raw()
    checksum: int | None = None


AnyMld = Mld | MldV2Query | MldV2Report


def decode(raw: bytes, missing: int) -> AnyMld | Malformed:
    """The ICMPv6 message in ``raw``, whose first byte is one of the four types."""
    if raw[0] == V2_REPORT:
        return _decode_report(raw, missing)
    if raw[0] == QUERY and len(raw) + missing >= _V2_QUERY.size:
        return _decode_v2_query(raw, missing)
    if len(raw) < _V1.size:
        return cut("mld", raw, _V1.size)
    kind, code, checksum, max_delay, reserved, group = _V1.unpack_from(raw)
    tail = rest("mld", raw[_V1.size :], missing)
    if kind == QUERY and tail != Raw():  # to be ignored, RFC 3810 8.1
        tail = Malformed("mld query: neither 24 bytes nor at least 28", tail.raw)
    return Mld(kind, IPv6Address(group), max_delay, reserved, code, tail, checksum)


def _decode_v2_query(raw: bytes, missing: int) -> MldV2Query | Malformed:
    if len(raw) < _V2_QUERY.size:
        return cut("mldv2 query", raw, _V2_QUERY.size)
    _, code, checksum, response, reserved, group, flags, interval, count = _V2_QUERY.unpack_from(
        raw
    )
    body = raw[_V2_QUERY.size :]
    sources, tail = decode_addresses("mldv2 sources", body, count, IPv6Address, missing)
    return MldV2Query(
        IPv6Address(group),
        sources,
        response,
        flags,
        interval,
        reserved,
        code,
        count,
        tail,
        checksum,
    )


def _decode_report(raw: bytes, missing: int) -> MldV2Report | Malformed:
    if len(raw) < _V2_REPORT.size:
        return cut("mldv2 report", raw, _V2_REPORT.size)
    _, code, checksum, reserved, count = _V2_REPORT.unpack_from(raw)
    body = raw[_V2_REPORT.size :]
    records, tail = decode_records("mldv2 record", body, count, IPv6Address, missing)
    return MldV2Report(records, reserved, code, count, tail, checksum)


def encode(mld: AnyMld, addresses: bytes) -> bytes:
    """The message; ``addresses`` (source and destination, packed) enter its checksum."""
    return seal_v6(_body(mld) + mld.tail.raw, mld.checksum, addresses)


def _body(mld: AnyMld) -> bytes:
    match mld:
        case Mld():
            group = mld.group.packed
            return _V1.pack(mld.kind, mld.code, 0, mld.max_delay, mld.reserved, group)
        case MldV2Query():
            count = len(mld.sources) if mld.count is None else mld.count
            fixed = (QUERY, mld.code, 0, mld.max_response, mld.reserved, mld.group.packed)
            head = _V2_QUERY.pack(*fixed, mld.flags, mld.interval, count)
            return head + encode_addresses(mld.sources)
        case MldV2Report():
            count = len(mld.records) if mld.count is None else mld.count
            head = _V2_REPORT.pack(V2_REPORT, mld.code, 0, mld.reserved, count)
            return head + b"".join(map(encode_record, mld.records))

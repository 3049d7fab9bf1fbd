"""Generic netlink's IPVS messages as rows.

``include/uapi/linux/ip_vs.h``; net/netfilter/ipvs/ip_vs_ctl.c ``ip_vs_genl_fill_service``,
``ip_vs_genl_fill_dest``, ``ip_vs_genl_fill_daemon`` (2.6.28 to 6.18).
"""

import socket
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

from hopback.snapshot.rows import (
    IpvsCount,
    IpvsDaemon,
    IpvsMethod,
    IpvsProtocol,
    IpvsServer,
    IpvsService,
    Row,
)
from hopback.sources.live.netlink import (
    Attributes,
    attribute_list,
    attributes,
    number,
    number_of,
    pack_attribute,
    text,
)
from hopback.sources.live.reading import Origin

GET_SERVICE, GET_SERVERS, GET_DAEMONS = 4, 8, 11  # IPVS_CMD_GET_SERVICE, _DEST, _DAEMON
_SERVICE, _SERVER, _DAEMON = 1, 2, 3  # IPVS_CMD_ATTR_*
_HEADER = 4  # genlmsghdr
_NESTED = 0x8000
_AF, _PROTOCOL, _ADDRESS, _PORT, _MARK = 1, 2, 3, 4, 5  # IPVS_SVC_ATTR_*
_NAMES_SERVICE = frozenset({_AF, _PROTOCOL, _ADDRESS, _PORT, _MARK})
_STATS, _STATS64 = 10, 12  # of a service as of a server
_PROTOCOLS: dict[int, IpvsProtocol] = {6: "tcp", 17: "udp", 132: "sctp"}
_METHODS: dict[int, IpvsMethod] = {0: "masq", 1: "local", 2: "tunnel", 3: "route", 4: "bypass"}
_METHOD_MASK = 7
_TUNNELS = {0: "ipip", 1: "gue", 2: "gre"}
_PERSISTENT, _ONE_PACKET = 1, 4
_OF_SCHEDULER = {8: "flag-1", 16: "flag-2", 32: "flag-3"}
_HASHING = {  # what the flags of these schedulers are called
    "sh": {8: "sh-fallback", 16: "sh-port"},
    "mh": {8: "mh-fallback", 16: "mh-port"},
}


class Origins(NamedTuple):
    """Where rows of the table come from, and where the counters that the same messages carry."""

    table: Origin
    counters: Origin


class Service(NamedTuple):
    """A service: how it is asked for its servers, the fields that name it, and its rows."""

    request: bytes
    names: dict[str, Any]
    rows: tuple[Row, ...]


def services(origins: Origins, messages: Sequence[bytes]) -> Iterator[Service]:
    """What GET_SERVICE lists; services of a protocol that is not known here are passed over."""
    for line, (raw, found) in enumerate(_nested(messages, _SERVICE), 1):
        names = _names(found)
        if names is None:
            continue
        identity = b"".join(
            pack_attribute(kind, value)
            for kind, value in attribute_list(raw)
            if kind in _NAMES_SERVICE
        )
        settings = _settings(found, names["family"])
        row = IpvsService(**_common(origins.table, line), **names, **settings)
        counted = _count(_common(origins.counters, line), names, found)
        yield Service(pack_attribute(_SERVICE | _NESTED, identity), names, (row, *counted))


def servers(
    origins: Origins, first: int, service: Service, messages: Sequence[bytes]
) -> Iterator[Row]:
    """What GET_SERVERS lists of a service; ``first`` is the line that the first message is."""
    for line, (_, found) in enumerate(_nested(messages, _SERVER), first):
        own = number_of(found, 11)  # 3.18: a tunnel's server may be of the other family
        family = own or (socket.AF_INET6 if service.names["family"] == 6 else socket.AF_INET)
        server, port = _address(found.get(1, b""), family), _port(found, 2)
        method = _METHODS.get((number_of(found, 3) or 0) & _METHOD_MASK)
        if server is None or method is None:
            continue
        names = {**service.names, "server": server, "server_port": port}
        tunnel = _TUNNELS.get(number_of(found, 13) or 0) if method == "tunnel" else None
        yield IpvsServer(
            **_common(origins.table, line),
            **names,
            method=method,
            weight=number_of(found, 4),
            tunnel=tunnel,
            tunnel_port=(_port(found, 14) or None) if tunnel else None,
            active=number_of(found, 7),
            inactive=number_of(found, 8),
            upper=number_of(found, 5),
        )
        yield from _count(_common(origins.counters, line), names, found)


def daemons(origin: Origin, messages: Sequence[bytes]) -> Iterator[IpvsDaemon]:
    """What GET_DAEMONS lists."""
    for line, (_, found) in enumerate(_nested(messages, _DAEMON), 1):
        yield IpvsDaemon(
            **_common(origin, line),
            state="master" if number_of(found, 1) == 1 else "backup",
            dev=text(found.get(2, b"")),
            sync_id=number_of(found, 3) or 0,
        )


def _nested(messages: Sequence[bytes], kind: int) -> Iterator[tuple[bytes, Attributes]]:
    for message in messages:
        raw = attributes(message, _HEADER).get(kind)
        if raw is not None:
            yield raw, attributes(raw)


def _names(found: Attributes) -> dict[str, Any] | None:
    family = 6 if number_of(found, _AF) == socket.AF_INET6 else 4
    if mark := number_of(found, _MARK):
        return {"protocol": "fwmark", "family": family, "mark": mark}
    protocol = _PROTOCOLS.get(number_of(found, _PROTOCOL) or 0)
    address = _address(found.get(_ADDRESS, b""), number_of(found, _AF) or 0)
    if protocol is None or address is None:
        return None
    port = _port(found, _PORT)
    return {"protocol": protocol, "family": family, "address": address, "port": port}


def _settings(found: Attributes, family: int) -> dict[str, Any]:
    scheduler = text(found.get(6, b""))
    flags = number(found.get(7, b"")[:4])  # struct ip_vs_flags: the flags, and a mask
    bits = number_of(found, 9) or 0
    if family == 6:
        netmask = None if bits in (0, 128) else str(bits)
    else:
        netmask = None if bits in (0, 0xFFFF_FFFF) else str(IPv4Address(found[9]))
    named = {_ONE_PACKET: "ops", **_OF_SCHEDULER, **_HASHING.get(scheduler, {})}
    return {
        "scheduler": scheduler,
        "persistent": number_of(found, 8) if flags & _PERSISTENT else 0,
        "netmask": netmask if flags & _PERSISTENT else None,
        "flags": tuple(name for bit, name in named.items() if flags & bit),
    }


def _count(common: dict[str, Any], names: dict[str, Any], found: Attributes) -> Iterator[IpvsCount]:
    """The counters; the ones of 64 bits (4.1) where the kernel sends both."""
    raw = found.get(_STATS64) or found.get(_STATS)
    if raw is not None:
        stats = attributes(raw)
        yield IpvsCount(
            **common,
            **names,
            connections=number_of(stats, 1) or 0,
            packets_in=number_of(stats, 2) or 0,
            packets_out=number_of(stats, 3) or 0,
        )


def _common(origin: Origin, line: int) -> dict[str, Any]:
    return {"cite": origin.cite(line), "netns": origin.netns}


def _address(raw: bytes, family: int) -> str | None:
    """``union nf_inet_addr``: 16 bytes, of which IPv4 uses the first four."""
    if len(raw) < 16:
        return None
    return str(IPv6Address(raw[:16]) if family == socket.AF_INET6 else IPv4Address(raw[:4]))


def _port(found: Attributes, kind: int) -> int:
    return int.from_bytes(found.get(kind, b""), "big")

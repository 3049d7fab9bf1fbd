"""IPVS, keepalived and counters read live, as far as that needs no kernel with IPVS."""

import socket
from ipaddress import ip_address
from pathlib import Path

import pytest

from hopback.snapshot.model import Builder, Snapshot
from hopback.snapshot.rows import IpvsCount, IpvsServer, IpvsService
from hopback.snapshot.table import Missing
from hopback.sources.live import counters, ipvs
from hopback.sources.live.ipvs_decode import Origins, daemons, servers, services
from hopback.sources.live.netlink import attributes, pack_attribute
from hopback.sources.live.reading import Names, Origin, Reading

ORIGINS = Origins(Origin(0, "blue", Names()), Origin(1, "blue", Names()))
HEADER = bytes(4)


def u16(value: int) -> bytes:
    return value.to_bytes(2, "little" if socket.htons(1) != 1 else "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "little" if socket.htons(1) != 1 else "big")


def message(kind: int, values: dict[int, bytes]) -> bytes:
    inside = b"".join(pack_attribute(key, value) for key, value in values.items())
    return HEADER + pack_attribute(kind | 0x8000, inside)


def address(text: str) -> bytes:
    return ip_address(text).packed.ljust(16, b"\0")


DNS = {
    1: u16(socket.AF_INET),
    2: u16(socket.IPPROTO_UDP),
    3: address("192.0.2.100"),
    4: (53).to_bytes(2, "big"),
    6: b"sh\0",
    7: u32(0x1 | 0x8 | 0x20) + u32(0xFFFF_FFFF),
    8: u32(300),
    9: ip_address("255.255.255.0").packed,
    10: b"".join(pack_attribute(kind, u32(kind)) for kind in (1, 2, 3)),
}


def test_a_service_and_how_it_is_asked_for_its_servers() -> None:
    (found,) = services(ORIGINS, [message(1, DNS)])
    service, count = found.rows
    assert isinstance(service, IpvsService)
    assert (service.address, service.port, service.netns) == ("192.0.2.100", 53, "blue")
    assert (service.persistent, service.netmask) == (300, "255.255.255.0")
    assert service.flags == ("sh-fallback", "flag-3")
    assert isinstance(count, IpvsCount)
    assert (count.connections, count.packets_in, count.packets_out) == (1, 2, 3)
    assert (service.cite.source, count.cite.source) == (0, 1)
    asked = attributes(attributes(found.request)[1])
    assert asked == {kind: DNS[kind] for kind in (1, 2, 3, 4)}


def test_a_server_of_the_other_family() -> None:
    (service,) = services(ORIGINS, [message(1, DNS)])
    values = {
        1: address("2001:db8::1"),
        2: (53).to_bytes(2, "big"),
        3: u32(0x100 | 2),
        4: u32(7),
        5: u32(100),
        11: u16(socket.AF_INET6),
        13: b"\1",
        14: (6080).to_bytes(2, "big"),
    }
    (server,) = servers(ORIGINS, 9, service, [message(2, values)])
    assert isinstance(server, IpvsServer)
    assert (server.server, server.method, server.weight) == ("2001:db8::1", "tunnel", 7)
    assert (server.tunnel, server.tunnel_port, server.upper) == ("gue", 6080, 100)
    assert (server.address, server.family, server.cite.line) == ("192.0.2.100", 4, 9)


def test_an_unknown_protocol_is_passed_over() -> None:
    assert not list(services(ORIGINS, [message(1, {**DNS, 2: u16(200)}), HEADER]))


def test_a_thread() -> None:
    (daemon,) = daemons(ORIGINS.table, [message(3, {1: u32(1), 2: b"eth0\0", 3: u32(5)})])
    assert (daemon.state, daemon.dev, daemon.sync_id) == ("master", "eth0", 5)


def read(what: object, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    monkeypatch.setattr(ipvs, "_CONFIGURATION", what)
    builder = Builder("here")
    ipvs.read_configuration(Reading(builder, "here", ""))
    return builder.build()


def test_the_configuration_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text("vrrp_instance V {\n virtual_router_id 7\n auth_pass hush\n}\n")
    found = read(file, monkeypatch)
    assert [row.router_id for row in found.vrrp_instances.rows] == [7]
    assert found.vrrp_instances.complete()
    assert "hush" not in str(found)


def test_a_configuration_that_is_not_there_or_not_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent, refused = read(tmp_path / "none", monkeypatch), read(tmp_path, monkeypatch)
    assert isinstance(absent.vrrp_instances, Missing)
    assert isinstance(refused.vrrp_instances, Missing)
    assert refused.vrrp_instances.command.startswith("sudo cat ")


def test_counters_that_are_not_zero() -> None:
    builder = Builder("here")
    counters.read(Reading(builder, "here", ""))
    rows = builder.build().counters.rows
    assert all(row.value and row.name.startswith(("Ip", "Icmp")) for row in rows)
    assert not builder.build().counters.complete()

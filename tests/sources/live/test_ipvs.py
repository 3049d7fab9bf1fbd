"""IPVS as the kernel lists it, on one that has it: that of user-mode Linux."""

import json
from typing import Any

import pytest

from hopback.lab.uml.boot import run_python
from tests.kernel.uml import needs_uml

pytestmark = [pytest.mark.kernel("ipvsadm"), needs_uml]

TABLES = ["ipvs_connections", "ipvs_counts", "ipvs_daemons", "ipvs_servers", "ipvs_services"]
HTTPS = {"protocol": "tcp", "address": "192.0.2.100", "port": 443}
DNS = {"protocol": "udp", "family": 6, "address": "2001:db8::100", "port": 53}
MARK = {"protocol": "fwmark", "family": 6, "mark": 7}
SERVERS = (
    {**HTTPS, "server": "192.0.2.11", "server_port": 443, "method": "tunnel", "weight": 0},
    {**HTTPS, "server": "192.0.2.12", "server_port": 443, "method": "masq", "weight": 5},
    {**DNS, "server": "2001:db8::12", "server_port": 53, "method": "route", "weight": 1},
    {**MARK, "server": "2001:db8::12", "method": "route", "weight": 1},
)


def inside(*modules: str) -> dict[str, Any]:
    finished = run_python("tests.sources.live.ipvs_inside", modules=modules, seconds=120)
    assert finished.code == 0, finished.errors.decode()
    return dict(json.loads(finished.output.splitlines()[-1]))


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return inside("ip_vs", "ip_vs_rr", "ip_vs_sh", "ip_vs_mh")


def the(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    (row,) = [row for row in rows if wanted.items() <= row.items()]
    return row


def test_without_the_module_there_is_nothing_and_that_is_known() -> None:
    """And the kernel is asked nothing for which it would load it."""
    told = inside()
    assert told["wanted"] == ""
    for found in (told["root"], told["nobody"]):
        assert found["complete"] == TABLES
        assert not any(found["tables"].values())
        assert not any("vs" in key.split(".") for key in found["settings"])


def test_services(told: dict[str, Any]) -> None:
    rows = told["root"]["tables"]["ipvs_services"]
    assert len(rows) == 3
    https = the(rows, **HTTPS)
    assert (https["scheduler"], https["persistent"], https["netmask"], https["flags"]) == (
        "sh",
        300,
        "255.255.255.0",
        ["sh-port"],
    )
    assert the(rows, **DNS)["flags"] == ["ops"]
    assert the(rows, **MARK)["flags"] == ["mh-fallback"]
    assert told["root"]["complete"] == TABLES


def test_servers(told: dict[str, Any]) -> None:
    rows = told["root"]["tables"]["ipvs_servers"]
    assert len(rows) == len(SERVERS)
    tunnel, masq, *_ = [the(rows, **server) for server in SERVERS]
    assert (tunnel["tunnel"], tunnel["tunnel_port"]) == ("gue", 6080)
    assert masq["upper"] == 100
    assert "-a -t 192.0.2.100:443 -r 192.0.2.11:443 -i" in " ".join(told["root"]["quotes"])


def test_counters_and_threads(told: dict[str, Any]) -> None:
    rows = told["root"]["tables"]["ipvs_counts"]
    assert len(rows) == 3 + len(SERVERS)
    assert the(rows, **HTTPS, server="192.0.2.12")["connections"] == 0
    (daemon,) = told["root"]["tables"]["ipvs_daemons"]
    assert (daemon["state"], daemon["dev"], daemon["sync_id"]) == ("backup", "lo", 5)


def test_settings(told: dict[str, Any]) -> None:
    assert told["root"]["settings"]["net.ipv4.vs.backup_only"] == "0"


def test_without_privilege_the_kernels_own_file_is_read(told: dict[str, Any]) -> None:
    """It tells neither threads nor counters, and persistence in ticks."""
    found = told["nobody"]
    assert len(found["tables"]["ipvs_services"]) == 3
    assert len(found["tables"]["ipvs_servers"]) == len(SERVERS)
    assert "persistent" in the(found["tables"]["ipvs_services"], **HTTPS)["flags"]
    assert found["complete"] == ["ipvs_connections", "ipvs_servers", "ipvs_services"]

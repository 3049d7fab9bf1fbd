"""IPVS tables are noticed."""

import pytest

from hopback.sources.parse import ipvs
from tests.sources.parse.given import facts, listing, pasted, recorded

NOTICED = [{"what": "IPVS table"}]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("ipvsadm-Ln.txt", 4),
        ("ipvsadm-Ln-stats.txt", 4),
        ("ipvsadm-Lnc.txt", 3),
        ("ipvsadm-Sn.txt", 1),
        ("proc-net-ip_vs.txt", 4),
    ],
)
def test_recorded(name: str, line: int) -> None:
    parsed = ipvs.parse(recorded(f"vm61-director-a/{name}"))
    assert [facts(row) for row in parsed.rows] == NOTICED
    assert parsed.rows[0].cite.line == line


@pytest.mark.parametrize("name", ["ipvsadm-L-daemon.txt"])
def test_empty(name: str) -> None:
    assert not ipvs.parse(recorded(f"vm61-director-a/{name}")).rows


def test_headings_alone() -> None:
    text = recorded("vm61-director-a/ipvsadm-Ln.txt")
    assert not ipvs.parse(text._replace(lines=text.lines[:3])).rows


def test_keepalived() -> None:
    text = "vrrp_instance VI_1 {\n  state MASTER\n}"
    parsed = ipvs.parse(pasted(text, "cat /etc/keepalived/keepalived.conf"))
    assert [facts(row) for row in parsed.rows] == NOTICED


def test_no_such_command() -> None:
    parsed = ipvs.parse(listing("bash: ipvsadm: command not found", "ipvsadm -Ln"))
    assert not parsed.rows
    assert len(parsed.problems) == 1

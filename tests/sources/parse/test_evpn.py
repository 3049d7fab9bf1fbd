"""EVPN tables of FRR."""

from hopback.frames.mac import parse_mac
from hopback.sources.parse import evpn
from tests.sources.parse.given import facts, listing, pasted

TABLE = """
    VNI 99 #MACs (local and remote) 3
    Flags: N=sync-neighs, I=local-inactive, P=peer-active, X=peer-proxy
    MAC               Type   Flags Intf/Remote ES/VTEP            VLAN  Seq #'s
    02:00:00:00:00:01 local  P     bond0                          1     0/0
    02:00:00:00:00:02 local        bond0                          1     1295/1294
    02:00:00:00:00:03 remote       10.1.2.1                             34/33
"""


def test_table() -> None:
    parsed = evpn.parse(listing(TABLE, 'vtysh -c "show evpn mac vni all"'))
    mac = parse_mac("02:00:00:00:00:01")
    none = {"local_sequence": 0, "remote_sequence": 0}
    assert [facts(row) for row in parsed.rows] == [
        {"mac": mac, "where": "bond0", "vlan": 1, **none},
        {
            "mac": mac + 1,
            "where": "bond0",
            "vlan": 1,
            "local_sequence": 1295,
            "remote_sequence": 1294,
        },
        {
            "mac": mac + 2,
            "where": "10.1.2.1",
            "vlan": 0,
            "local_sequence": 34,
            "remote_sequence": 33,
        },
    ]
    assert not parsed.problems


def test_before_sequence_numbers() -> None:
    parsed = evpn.parse(pasted("and then\n02:00:00:00:00:01 remote 10.1.2.1\nsaid he"))
    assert [(row.cite.line, facts(row)["where"]) for row in parsed.rows] == [(2, "10.1.2.1")]
    assert not parsed.problems


def test_half_line() -> None:
    assert [p.line for p in evpn.parse(listing("02:00:00:00:00:01 loc")).problems] == [1]

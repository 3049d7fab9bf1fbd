"""``ip tunnel``, and the tunnels in ``ip -d link``."""

import pytest

from hopback.snapshot.rows import Tunnel
from hopback.sources.parse import ip_link, ip_tunnel
from tests.sources.parse.given import facts, listing, pasted, recorded, rows

Said = dict[str, dict[str, object]]
NOT_SHOWN = ("mark", "external", "ignore_df")


def linked(name: str) -> Said:
    parsed = ip_link.parse(recorded(f"tunnels/{name}"))
    assert not parsed.problems
    return {row.dev: facts(row) for row in rows(parsed, Tunnel)}


def shown(*names: str) -> Said:
    found: Said = {}
    for name in names:
        parsed = ip_tunnel.parse(recorded(f"tunnels/{name}"))
        assert not parsed.problems
        found |= {row.dev: facts(row) for row in rows(parsed, Tunnel)}
    return found


def without(said: Said) -> Said:
    return {
        dev: {name: value for name, value in facts.items() if name not in NOT_SHOWN}
        for dev, facts in said.items()
    }


def test_link_text_and_json_tell_the_same() -> None:
    assert linked("ip-d-link.txt") == linked("ip-d-j-link.json")


def test_tunnel_text_and_json_tell_the_same() -> None:
    text = shown("ip-tunnel-show.txt", "ip-6-tunnel-show.txt")
    json = shown("ip-j-tunnel-show.json", "ip-6-j-tunnel-show.json")
    for dev in ("tunl0", "ipip0", "ipip2", "gre0", "gre1", "gre2", "gre3", "sit0", "sit1", "sit2"):
        assert "tos" not in json[dev]  # it may be none, or the inner packet's
        json[dev]["tos"] = text[dev]["tos"]
    assert text == json


def test_both_commands_tell_the_same() -> None:
    """What ip tunnel shows at all, but for ipip and sit in one mode, which it calls one name."""
    link, tunnel = (
        without(said)
        for said in (linked("ip-d-link.txt"), shown("ip-tunnel-show.txt", "ip-6-tunnel-show.txt"))
    )
    assert {dev: said for dev, said in link.items() if dev in tunnel} == tunnel
    assert set(link) - set(tunnel) == {"gretap0", "tap1", "tap2", "six4"}


def test_recorded() -> None:
    said = linked("ip-d-link.txt")
    assert said["ipip1"] == {
        "dev": "ipip1",
        "kind": "ipip",
        "local": "192.0.2.1",
        "remote": "198.51.100.2",
        "lower": "",
        "ttl": 64,
        "tos": 0x10,
        "pmtudisc": True,
        "ignore_df": False,
        "external": False,
        "mark": 0x33,
    }
    assert (said["gre2"]["key"], said["gre2"]["accepts_key"]) == (2, 1)
    assert (said["gre2"]["summed"], said["gre2"]["accepts_numbered"]) == (True, True)
    assert said["gre3"]["key"] == 0x0A010203
    assert said["gre3"]["remote"] == ""
    assert said["ipip0"]["lower"] == "d0"
    assert said["tap2"]["external"] is True
    assert (said["six1"]["encap_limit"], said["six2"]["encap_limit"]) == (4, -1)
    assert (said["six1"]["tos"], said["six2"]["tos"], said["six2"]["ttl"]) == (0, 1, 32)


@pytest.mark.parametrize("end", ["[...]", "…"])
def test_a_line_that_was_cut_does_not_tell_of_the_rest(end: str) -> None:
    text = f"6: t0@NONE: <NOARP> mtu 1480 qdisc noop state DOWN\n    ipip any remote 10.0.0.9 {end}"
    (row,) = rows(ip_link.parse(pasted(text)), Tunnel)
    assert facts(row) == {"dev": "t0", "kind": "ipip", "remote": "10.0.0.9"}


def test_strange_lines_are_problems_in_a_file() -> None:
    parsed = ip_tunnel.parse(
        listing("t0: ip/ip remote 192.0.2.9 local any ttl 9\nwhat", "ip tunnel")
    )
    assert [problem.line for problem in parsed.problems] == [2]
    assert facts(parsed.rows[0])["ttl"] == 9


def test_statistics_are_passed_over() -> None:
    text = """
        t0: ip/ip remote 10.0.0.9 local any ttl 9 6rd-prefix 2002::/16
        RX: Packets    Bytes        Errors CsumErrs OutOfSeq Mcasts
            0          0            0      0        0        0
        TX: Packets    Bytes        Errors DeadLoop NoRoute  NoBufs
            0          0            1      1        0        0
    """
    parsed = ip_tunnel.parse(listing(text, "ip -s tunnel show"))
    assert len(parsed.rows) == 1
    assert not parsed.problems

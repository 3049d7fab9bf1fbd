"""WireGuard: to whom a packet goes sealed, where that is routed, and who opens it."""

import pytest

from hopback.frames.ipv4 import Ipv4
from hopback.frames.tunnel import Sealed
from hopback.frames.udp import Udp
from tests.build import model
from tests.datapath.tunnel_hosts import host, packet, sent_by, steps

KEYS = tuple(letter * 42 + "E=" for letter in "ab")
DEVICE = """\
5: wg0: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1420 qdisc noqueue state UNKNOWN mode DEFAULT
    link/none promiscuity 0
    wireguard addrgenmode none
"""


def peer(allowed: str, endpoint: str = "", number: int = 1) -> str:
    where = f"  endpoint: {endpoint}:51820\n" if endpoint else ""
    return f"peer: {KEYS[number]}\n{where}  allowed ips: {allowed}\n"


def wg(name: str, *peers: str, mark: str = "") -> str:
    return (
        f"root@{name}:~# wg show\ninterface: wg0\n  public key: {KEYS[0]}\n"
        f"  private key: (hidden)\n  listening port: 51820\n{mark}\n" + "\n".join(peers)
    )


def left(*peers: str, routes: str = "", mark: str = "", release: str = "6.1.0-18-amd64") -> str:
    return host("left", DEVICE, routes, "", release) + wg("left", *peers, mark=mark)


def test_to_the_peer_that_is_allowed_it() -> None:
    near = peer("10.0.0.0/24", "192.0.2.2")
    end = host("right", DEVICE, "local 10.0.0.2 dev lo table local scope host")
    text = left(near, peer("10.0.0.0/8", "192.0.2.77", 0)) + end
    for allowed, last in (
        ("203.0.113.0/24", "delivered station"),
        ("::/0", "lost wireguard-source"),
    ):
        whole = text + wg("right", peer(allowed))
        found = sent_by(model(whole), "wg0", packet("10.0.0.2"))
        assert steps(found)[:3] == ["left wg0 out", "left eth0 out", "right eth0 in"]
        assert steps(found)[-1] == last
    sealed = found.hops[1].frame.payload
    assert isinstance(sealed, Ipv4)
    assert isinstance(sealed.payload, Udp)
    assert sealed.payload.dport == 51820
    assert sealed.payload.payload == Sealed(packet("10.0.0.2").payload)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("allowed", "rule"),
    [("10.9.0.0/16", "wireguard-no-peer"), ("10.0.0.0/8", "wireguard-no-endpoint")],
)
def test_to_nobody(allowed: str, rule: str) -> None:
    found = sent_by(model(left(peer(allowed))), "wg0", packet("10.0.0.2"))
    assert steps(found)[-1] == f"lost {rule}"


@pytest.mark.parametrize("endpoint", ["vpn.example.net", "192.0.2.300"])
def test_an_endpoint_that_is_no_address_is_not_known(endpoint: str) -> None:
    found = sent_by(model(left(peer("10.0.0.0/8", endpoint))), "wg0", packet("10.0.0.2"))
    assert [end.what for end in found.ends] == ["the endpoint of a peer of wg0"]


def test_a_route_into_itself() -> None:
    text = left(peer("0.0.0.0/0", "198.51.100.7"), routes="default dev wg0", release="5.6.0")
    found = sent_by(model(text), "wg0", packet("10.0.0.2"))
    assert steps(found) == ["left wg0 out", "lost wireguard-own-route"]
    assert [log.text for log in found.logs] == ["wg0: Avoiding routing loop to 198.51.100.7:51820"]


def test_a_route_into_itself_seals_the_packet_again() -> None:
    text = left(peer("0.0.0.0/0", "198.51.100.7"), routes="default dev wg0")
    found = sent_by(model(text), "wg0", packet("10.0.0.2"))
    assert {h.place.dev.name for h in found.hops} == {"wg0"}
    assert [end.what for end in found.ends] == ["a packet that is sent on in fragments"]


def test_a_rule_keeps_marked_packets_off() -> None:
    """wg-quick: all but what the device itself sends goes by a table of its own."""
    text = left(
        peer("0.0.0.0/0", "198.51.100.7"),
        routes="default via 192.0.2.2 dev eth0\ndefault dev wg0 table 51820",
        mark="  fwmark: 0xca6c",
    )
    rules = """
root@left:~# ip rule show
0:	from all lookup local
32764:	from all lookup main suppress_prefixlength 0
32765:	not from all fwmark 0xca6c lookup 51820
32766:	from all lookup main
32767:	from all lookup default
"""
    found = sent_by(model(text + rules), "wg0", packet("10.0.0.2"))
    assert steps(found)[:2] == ["left wg0 out", "left eth0 out"]

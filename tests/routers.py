"""Routers as text: hosts that forward, by their NICs' addresses and their routes."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_interface

from tests.build import link, links, listing

RULES = (
    "0:\tfrom all lookup local",
    "32766:\tfrom all lookup main",
    "32767:\tfrom all lookup default",
)


def router(
    host: str,
    number: int,
    nics: Sequence[str],
    routes: Sequence[str],
    settings: Mapping[str, int | None] | None = None,
    rules: Sequence[str] = RULES,
) -> str:
    """``nics`` are addresses, one for each; ``settings`` change what else lets it forward.

    A setting of None is not shown.
    """
    shown, addresses, connected = [], [], []
    for at, text in enumerate(nics):
        own = ip_interface(text)
        shown.append(link(at + 2, f"eth{at}", f"02:00:00:00:{number:02x}:{at:02x}"))
        family = "inet6" if own.version == 6 else "inet"
        addresses.append(f"{at + 2}: eth{at}    {family} {text} scope global eth{at}")
        connected.append(f"{own.network} dev eth{at} proto kernel scope link")
    told: dict[str, int | None] = {
        "net.ipv4.ip_forward": 1,
        "net.ipv6.conf.all.forwarding": 1,
        "net.ipv4.conf.all.rp_filter": 0,
        **{f"net.ipv4.conf.eth{at}.rp_filter": 0 for at in range(len(nics))},
        **(settings or {}),
    }
    lines = [f"{key} = {value}" for key, value in told.items() if value is not None]
    return (
        links(*shown, host=host)
        + listing("ip -o addr show", addresses, host)
        + listing("ip route show table all", [*routes, *connected], host)
        + listing("ip rule show", rules, host)
        + listing("sysctl -a", lines, host)
        + listing("iptables-save", ("*filter", ":INPUT ACCEPT [0:0]", "COMMIT"), host)
    )


POOL = "198.51.100.0/24"


def edge(*routes: str, settings: Mapping[str, int | None] | None = None) -> str:
    """A router that sends the pool to the node."""
    given = routes or (f"{POOL} via 203.0.113.7 dev eth1",)
    return router("edge", 1, ("192.0.2.1/24", "203.0.113.1/24"), given, settings)


def node(*routes: str, settings: Mapping[str, int | None] | None = None) -> str:
    """A host that sends all it has no route for to the router."""
    given = ("default via 203.0.113.1 dev eth0", *routes)
    return router("node", 2, ("203.0.113.7/24",), given, settings)

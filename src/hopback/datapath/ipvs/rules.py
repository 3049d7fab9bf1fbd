"""The rules of IPVS (net/netfilter/ipvs, Linux 6.12)."""

from hopback.datapath.rule import RuleInfo

_CORE = "net/netfilter/ipvs/ip_vs_core.c"
_XMIT = "net/netfilter/ipvs/ip_vs_xmit.c"


def _rule(function: str, text: str) -> RuleInfo:
    return RuleInfo(function, text, "ipvs")


IPVS_RULES = {
    "ipvs-route": _rule(
        f"{_XMIT}:ip_vs_dr_xmit",
        "direct routing: the packet goes on as it is, one hop less, to the real server's MAC",
    ),
    "ipvs-tunnel": _rule(
        f"{_XMIT}:ip_vs_tunnel_xmit",
        "the packet goes to the real server inside another, whose TTL is its own, one hop less",
    ),
    "ipvs-nat": _rule(
        f"{_XMIT}:ip_vs_nat_xmit",
        "the packet goes on with the real server's address and port, one hop less",
    ),
    "ipvs-reply": _rule(
        f"{_CORE}:handle_response",
        "a real server's answer gets the virtual service's address and port",
    ),
    "ipvs-bypass": _rule(
        f"{_XMIT}:ip_vs_bypass_xmit",
        "no real server is left, and cache_bypass is on: the packet goes to its own destination",
    ),
    "ipvs-local": _rule(
        f"{_XMIT}:ip_vs_dr_xmit",
        "the real server is this host: the packet goes on up, its TTL as it came",
    ),
    "ipvs-ttl": _rule(
        f"{_XMIT}:decrement_ttl",
        "its time to live has run out: dropped, the sender is told, from the virtual address",
    ),
    "ipvs-too-big": _rule(
        f"{_XMIT}:ensure_mtu_is_adequate",
        "it is larger than the way to the server takes, and must not be cut: dropped, the sender"
        " is told",
    ),
    "ipvs-narrow": _rule(
        f"{_XMIT}:__ip_vs_get_out_rt_v6",
        "a tunnel to the real server would leave packets less than every way must (1280 for IPv6,"
        " 68 for IPv4): dropped in silence",
    ),
    "ipvs-no-route": _rule(
        f"{_XMIT}:__ip_vs_get_out_rt",
        "no route leads to the real server: dropped, the sender is told",
    ),
    "ipvs-boundary": _rule(
        f"{_XMIT}:crosses_local_route_boundary",
        "nobody could answer: a loopback source for another host, or this host for what was not"
        " routed to it",
    ),
    "ipvs-no-server": _rule(
        f"{_CORE}:ip_vs_leave",
        "the service has no real server that may be chosen: dropped, the sender hears that the"
        " port is unreachable, from the virtual address",
    ),
    "ipvs-server-gone": _rule(
        f"{_CORE}:ip_vs_in_hook",
        "the connection's real server was taken out of the table: dropped in silence",
    ),
    "ipvs-no-ports": _rule(
        "net/netfilter/ipvs/ip_vs_proto_tcp.c:tcp_conn_schedule",
        "the packet ends before its transport header does: dropped, whatever it is for",
    ),
    "ipvs-no-connection": _rule(
        f"{_CORE}:ip_vs_out_hook",
        "nat_icmp_send: a real server that answers nobody is told that the port is unreachable",
    ),
    "ipvs-related": _rule(
        f"{_XMIT}:ip_vs_icmp_xmit",
        "an ICMP error about a connection goes where the connection goes",
    ),
}

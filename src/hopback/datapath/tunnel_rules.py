"""The rules of tunnels (Linux 6.12), and those of WireGuard, which no kernel was asked about."""

from hopback.datapath.rule import RuleInfo

_IPV4 = "net/ipv4/ip_tunnel.c"
_IPV6 = "net/ipv6/ip6_tunnel.c"
_WG = "drivers/net/wireguard"


def _rule(function: str, text: str) -> RuleInfo:
    return RuleInfo(function, text, "tunnel")


def _wireguard(function: str, text: str) -> RuleInfo:
    return RuleInfo(f"{_WG}/{function}", text, "wireguard")


TUNNEL_RULES = {
    "tunnel-wrap": _rule(
        f"{_IPV4}:ip_tunnel_xmit",
        "the tunnel puts the packet into another, which the host routes as one of its own",
    ),
    "tunnel-open": _rule(
        f"{_IPV4}:ip_tunnel_rcv",
        "the packet is for this host and for this tunnel: what is in it comes in by the tunnel",
    ),
    "tunnel-own-route": _rule(
        f"{_IPV4}:ip_tunnel_xmit",
        "the route to the tunnel's remote leads into the tunnel itself: dropped, and counted as"
        " a collision",
    ),
    "tunnel-own-remote": _rule(
        f"{_IPV6}:ip6_tnl_xmit_ctl", "the tunnel's remote is an address of this host: dropped"
    ),
    "tunnel-own-source": _rule(
        f"{_IPV6}:ip6_tnl_rcv_ctl",
        "the outer packet comes from an address of this very host: dropped in silence",
    ),
    "tunnel-no-local": _rule(
        f"{_IPV6}:ip6_tnl_xmit_ctl",
        "the IPv6 tunnel has no local address, or one that is not this host's: dropped",
    ),
    "tunnel-dead-loop": _rule(
        "net/core/dev.c:__dev_queue_xmit",
        "the packet was wrapped nine times on its way out of this host (three times in newer"
        " kernels, include/net/ip_tunnels.h:IP_TUNNEL_RECURSION_LIMIT): dropped, and logged as a"
        " dead loop",
    ),
    "tunnel-family": _rule(
        "net/ipv4/ipip.c:ipip_tunnel_xmit", "an ipip tunnel carries no IPv6: dropped"
    ),
    "tunnel-encap-limit": _rule(
        f"{_IPV6}:ip6_tnl_parse_tlv_enc_lim",
        "the packet may not enter another IPv6 tunnel: dropped, the sender is told",
    ),
    "tunnel-too-big": _rule(
        f"{_IPV4}:tnl_update_pmtu",
        "wrapped, the packet is larger than the way out takes, and must not be cut: dropped",
    ),
    "tunnel-refused": _rule(
        f"{_IPV4}:ip_tunnel_rcv",
        "the packet has a checksum where the tunnel wants none, or lacks one or a number: dropped",
    ),
    "wireguard-wrap": _wireguard(
        "socket.c:wg_socket_send_skb_to_peer",
        "the packet goes sealed to the endpoint of the peer that is allowed its destination",
    ),
    "wireguard-open": _wireguard(
        "receive.c:wg_packet_consume_data_done",
        "a peer that is allowed the inner source sealed the packet: it comes in by the device",
    ),
    "wireguard-source": _wireguard(
        "receive.c:wg_packet_consume_data_done",
        "no peer is allowed the inner source: dropped",
    ),
    "wireguard-no-peer": _wireguard(
        "device.c:wg_xmit", "no peer is allowed the destination: dropped, the sender is told"
    ),
    "wireguard-no-endpoint": _wireguard(
        "device.c:wg_xmit", "the peer's endpoint is not known yet: dropped, the sender is told"
    ),
    "wireguard-own-route": _wireguard(
        "socket.c:send4",
        "the route to the peer's endpoint leads into the device itself: dropped (until 5.7;"
        " since then the packet is sealed again and again until it is too big)",
    ),
}

"""The rules of the IP layer, and of br_netfilter, which calls its hooks for a bridge."""

from hopback.datapath.rule import RuleInfo

_BRNF = "net/bridge/br_netfilter_hooks.c"
_ROUTE = "net/ipv4/route.c"

IP_RULES = {
    "ip-invalid": RuleInfo(
        "net/ipv4/ip_input.c:ip_rcv_core",
        "the header's checksum is wrong: dropped, by br_netfilter also on a bridge",
        "ip",
    ),
    "nf-too-big": RuleInfo(
        f"{_BRNF}:br_nf_ip_fragment",
        "br_netfilter drops a bridged packet that is larger than the port's MTU and must not"
        " be cut",
        "bridge-nf",
    ),
    "ip-forward": RuleInfo(
        "net/ipv4/ip_forward.c:ip_forward",
        "the host routes the packet: on by this route, to this neighbour, one hop less",
        "ip",
    ),
    "ip-output": RuleInfo(
        "net/ipv4/ip_output.c:ip_local_out",
        "the host's own packet leaves by this route, to this neighbour",
        "ip",
    ),
    "ip-not-for-host": RuleInfo(
        "net/ipv4/ip_forward.c:ip_forward",
        "the frame was for a group: its packet is not sent on",
        "ip",
    ),
    "ip-forwarding-off": RuleInfo(
        f"{_ROUTE}:ip_route_input_slow",
        "the packet is for somebody else, and the host does not forward: dropped, and nobody"
        " is told",
        "ip",
    ),
    "ip-no-route": RuleInfo(
        f"{_ROUTE}:ip_route_input_slow", "no route leads to the destination", "ip"
    ),
    "ip-unreachable": RuleInfo(
        "net/ipv4/fib_semantics.c:fib_props",
        "the route says that nobody is there: dropped, the sender is told",
        "ip",
    ),
    "ip-prohibit": RuleInfo(
        "net/ipv4/fib_semantics.c:fib_props",
        "a route or a policy rule prohibits it: dropped, the sender is told",
        "ip",
    ),
    "ip-blackhole": RuleInfo(
        "net/ipv4/fib_semantics.c:fib_props",
        "a route or a policy rule drops it, and nobody is told",
        "ip",
    ),
    "ip-martian": RuleInfo(
        f"{_ROUTE}:ip_route_input_slow",
        "a packet from the wire has a source or a destination that none can have, such as the"
        " host's own address: dropped",
        "ip",
    ),
    "ip-rp-filter": RuleInfo(
        "net/ipv4/fib_frontend.c:__fib_validate_source",
        "the route back to the source leads elsewhere, and rp_filter is on: dropped",
        "ip",
    ),
    "ip-ttl": RuleInfo(
        "net/ipv4/ip_forward.c:ip_forward",
        "its time to live has run out: dropped, the sender is told",
        "ip",
    ),
    "ip-too-big": RuleInfo(
        "net/ipv4/ip_forward.c:ip_forward",
        "it is larger than the way out takes, and must not be cut: dropped, the sender is told",
        "ip",
    ),
    "ip-link-local": RuleInfo(
        "net/ipv6/ip6_output.c:ip6_forward",
        "a packet from a link-local address does not leave by another device",
        "ip",
    ),
    "ip-no-neighbour": RuleInfo(
        "net/core/neighbour.c:neigh_resolve_output",
        "nobody answers for the next hop: dropped, the sender is told",
        "ip",
    ),
    "vrf-recursion": RuleInfo(
        "drivers/net/vrf.c:vrf_process_v4_outbound, net/core/dev.c:__dev_queue_xmit",
        "out by a VRF that it is going out by already: dropped, too many transmissions within each"
        " other",
        "vrf",
    ),
    "icmp-time-exceeded": RuleInfo(
        "net/ipv4/icmp.c:__icmp_send, net/ipv6/icmp.c:icmp6_send",
        "the sender of a packet whose time to live has run out is told so",
        "icmp",
    ),
    "icmp-unreachable": RuleInfo(
        "net/ipv4/route.c:ip_error, net/ipv6/route.c:ip6_pkt_drop",
        "the sender of a packet that goes nowhere is told so",
        "icmp",
    ),
    "icmp-too-big": RuleInfo(
        "net/ipv4/icmp.c:__icmp_send, net/ipv6/icmp.c:icmp6_send",
        "the sender of a packet that does not fit is told the size that does",
        "icmp",
    ),
    "icmp-redirect": RuleInfo(
        "net/ipv4/route.c:ip_rt_send_redirect, net/ipv6/ndisc.c:ndisc_send_redirect",
        "a neighbour whose packet leaves by the device it came in by is told of the next hop; the"
        " packet is sent on all the same",
        "icmp",
    ),
}

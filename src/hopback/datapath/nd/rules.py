"""The rules of neighbour discovery and ARP, for ``datapath.rules``. Read in Linux 6.1 to 6.18."""

from hopback.datapath.rule import RuleInfo

_ADDRCONF = "net/ipv6/addrconf.c"
_NDISC = "net/ipv6/ndisc.c"
_ARP = "net/ipv4/arp.c"
_AREA = "dad"

ND_RULES = {
    "ipv6-disabled": RuleInfo(
        f"{_ADDRCONF}:addrconf_add_dev", "IPv6 is switched off on the interface", _AREA
    ),
    "link-local": RuleInfo(
        f"{_ADDRCONF}:addrconf_addr_gen",
        "an interface that comes up gets a link-local address",
        _AREA,
    ),
    "dad-off": RuleInfo(
        f"{_ADDRCONF}:addrconf_dad_begin",
        "no duplicate detection here: the address is valid at once",
        _AREA,
    ),
    "dad-begin": RuleInfo(
        f"{_ADDRCONF}:addrconf_dad_begin",
        "the address is tentative while its duplicate detection runs",
        _AREA,
    ),
    "dad-probe": RuleInfo(
        f"{_ADDRCONF}:addrconf_dad_work",
        "the station asks whether anybody has the address already",
        _AREA,
    ),
    "dad-valid": RuleInfo(
        f"{_ADDRCONF}:addrconf_dad_work", "nobody answered in time: the address is valid", _AREA
    ),
    "dad-announced": RuleInfo(
        f"{_ADDRCONF}:addrconf_dad_completed",
        "the address is valid, and ndisc_notify has all nodes told so",
        _AREA,
    ),
    "router-solicited": RuleInfo(
        f"{_ADDRCONF}:addrconf_dad_completed",
        "the first valid link-local address: routers are asked for",
        _AREA,
    ),
    "dad-nonce": RuleInfo(
        f"{_NDISC}:ndisc_recv_ns",
        "the probe carries the station's own nonce: its own question is back, and ignored",
        _AREA,
    ),
    "dad-failed": RuleInfo(
        f"{_ADDRCONF}:addrconf_dad_failure",
        "somebody probes or advertises the tentative address: a duplicate, whatever the source MAC",
        _AREA,
    ),
    "dad-over": RuleInfo(
        f"{_ADDRCONF}:addrconf_dad_end",
        "the address has failed already: nothing more happens",
        _AREA,
    ),
    "dad-tentative": RuleInfo(
        f"{_NDISC}:ndisc_recv_ns",
        "a question for an address that is still tentative is not answered",
        _AREA,
    ),
    "dad-kept": RuleInfo(
        f"{_ADDRCONF}:addrconf_dad_stop",
        "a permanent address that failed stays, tentative, until it is added again",
        _AREA,
    ),
    "dad-deleted": RuleInfo(
        f"{_ADDRCONF}:addrconf_dad_stop",
        "an advertised address that failed is deleted, and formed anew at the next advertisement",
        _AREA,
    ),
    "dad-disabled": RuleInfo(
        f"{_ADDRCONF}:addrconf_dad_work",
        "accept_dad is 2 and the link-local address of the MAC failed: IPv6 is switched off",
        _AREA,
    ),
    "dad-regenerated": RuleInfo(
        f"{_ADDRCONF}:addrconf_dad_failure",
        "a stable privacy address that failed is followed by another, idgen_retries times",
        _AREA,
    ),
    "nd-not-heard": RuleInfo(
        "net/ipv6/ip6_input.c:ip6_mc_input",
        "sent to a group or an address that the interface does not listen to",
        _AREA,
    ),
    "nd-malformed": RuleInfo(
        f"{_NDISC}:ndisc_rcv", "neighbour discovery that contradicts itself is dropped", _AREA
    ),
    "nd-not-mine": RuleInfo(
        f"{_NDISC}:ndisc_recv_ns",
        "about an address that is not the station's, and for which it does not answer",
        _AREA,
    ),
    "nd-answered": RuleInfo(
        f"{_NDISC}:ndisc_recv_ns",
        "asked for its own address, the station answers: who probes, through all nodes",
        _AREA,
    ),
    "nd-asker-unknown": RuleInfo(
        f"{_NDISC}:ndisc_recv_ns",
        "a group was asked, and the asker's MAC is not told and not known: no answer",
        _AREA,
    ),
    "nd-asker-known": RuleInfo(
        f"{_NDISC}:ndisc_recv_ns", "who asks is entered in the neighbour table", _AREA
    ),
    "nd-anycast": RuleInfo(
        f"{_NDISC}:ndisc_recv_ns",
        "a router answers for the anycast address of each of its subnets, to probes too",
        _AREA,
    ),
    "nd-proxied": RuleInfo(
        f"{_NDISC}:ndisc_recv_ns",
        "a router with proxy_ndp answers for the addresses it is a proxy for, to probes too",
        _AREA,
    ),
    "nd-no-source": RuleInfo(
        f"{_NDISC}:ndisc_send_na",
        "the interface has no address from which to answer for another",
        _AREA,
    ),
    "na-own": RuleInfo(
        f"{_NDISC}:ndisc_recv_na",
        "somebody advertises an address that is already valid here: logged, nothing fails",
        _AREA,
    ),
    "na-unsolicited": RuleInfo(
        f"{_NDISC}:ndisc_recv_na", "drop_unsolicited_na is on, and nobody had asked", _AREA
    ),
    "ra-refused": RuleInfo(
        f"{_NDISC}:ndisc_router_discovery", "the interface accepts no router advertisements", _AREA
    ),
    "ra-no-address": RuleInfo(
        f"{_ADDRCONF}:addrconf_prefix_rcv",
        "the advertised prefix gives no address: not autonomous, not /64, or its time is over",
        _AREA,
    ),
    "ra-address": RuleInfo(
        f"{_ADDRCONF}:addrconf_prefix_rcv", "the advertised prefix gives an address", _AREA
    ),
    "ra-refreshed": RuleInfo(
        f"{_ADDRCONF}:addrconf_prefix_rcv_add_addr",
        "the advertised prefix renews the times of its address",
        _AREA,
    ),
    "arp-refused": RuleInfo(
        f"{_ARP}:arp_process", "no ARP request or reply about a usable address", _AREA
    ),
    "arp-own-source": RuleInfo(
        "net/ipv4/fib_frontend.c:fib_validate_source",
        "the asker's address is one of the station's own: no answer",
        _AREA,
    ),
    "arp-rp-filter": RuleInfo(
        "net/ipv4/fib_frontend.c:fib_validate_source",
        "the way back to the asker is another, and rp_filter is on: no answer",
        _AREA,
    ),
    "arp-ignored": RuleInfo(
        f"{_ARP}:arp_ignore",
        "arp_ignore keeps the station from answering for this address here",
        _AREA,
    ),
    "arp-filtered": RuleInfo(
        f"{_ARP}:arp_filter",
        "arp_filter is on, and the way back to the asker is by another interface: no answer",
        _AREA,
    ),
    "arp-answered": RuleInfo(
        f"{_ARP}:arp_process",
        "asked for an address of any of its interfaces, the station answers",
        _AREA,
    ),
    "arp-probe-answered": RuleInfo(
        f"{_ARP}:arp_process",
        "a probe (sender 0.0.0.0) for an address of any of its interfaces is answered",
        _AREA,
    ),
    "arp-proxied": RuleInfo(
        f"{_ARP}:arp_fwd_proxy",
        "a router with proxy_arp answers for what is behind another interface, but not a probe",
        _AREA,
    ),
    "arp-pvlan": RuleInfo(
        f"{_ARP}:arp_fwd_pvlan",
        "a router with proxy_arp_pvlan answers for what it reaches by the same interface",
        _AREA,
    ),
    "arp-proxy-entry": RuleInfo(
        f"{_ARP}:arp_process",
        "a router answers for an address it is a proxy for (ip neigh add proxy)",
        _AREA,
    ),
    "arp-not-mine": RuleInfo(
        f"{_ARP}:arp_process",
        "about an address that is not the station's, and for which it does not answer",
        _AREA,
    ),
    "acd-conflict": RuleInfo(
        "RFC 5227 2.1.1",
        "assumed: what the program that probes an IPv4 address takes for a conflict",
        "assumed",
    ),
    "acd-no-conflict": RuleInfo(
        "RFC 5227 2.1.1",
        "assumed: what it does not, such as its own probe",
        "assumed",
    ),
}

"""The rules of packet filters and NAT, for ``datapath.rules``."""

from hopback.datapath.rule import RuleInfo

NETFILTER_RULES = {
    "filter-drop": RuleInfo(
        "net/netfilter/core.c:nf_hook_slow",
        "a packet filter drops or rejects it: this rule, or its chain's policy",
        "filter",
    ),
    "brouted": RuleInfo(
        "net/bridge/netfilter/ebtable_broute.c:ebt_broute",
        "a rule wants it routed, not bridged: it goes up the port's own stack",
        "filter",
    ),
    "filter-policy": RuleInfo(
        "net/netfilter/nf_tables_core.c:nft_do_chain",
        "no rule of a packet filter decides, and its chain drops what is left",
        "netfilter",
    ),
    "filter-reject": RuleInfo(
        "net/ipv4/netfilter/nft_reject_ipv4.c:nft_reject_ipv4_eval",
        "a rule of a packet filter rejects it: dropped, and its sender is told",
        "netfilter",
    ),
    "filter-rewrites": RuleInfo(
        "net/netfilter/nft_payload.c:nft_payload_set_eval",
        "a rule of a packet filter writes another value into it",
        "netfilter",
    ),
    "filter-marks": RuleInfo(
        "net/netfilter/nft_meta.c:nft_meta_set_eval",
        "a rule of a packet filter marks it, or its connection",
        "netfilter",
    ),
    "nat-target": RuleInfo(
        "net/netfilter/nf_nat_proto.c:nf_nat_manip_pkt",
        "its connection's NAT gives it another destination, on the way in",
        "netfilter",
    ),
    "nat-other-device": RuleInfo(
        "net/netfilter/nf_nat_core.c:nf_nat_oif_changed",
        "its connection was masqueraded for another device: dropped, and the connection is"
        " forgotten",
        "netfilter",
    ),
    "nat-source": RuleInfo(
        "net/netfilter/nf_nat_proto.c:nf_nat_manip_pkt",
        "its connection's NAT gives it another source, on the way out",
        "netfilter",
    ),
}

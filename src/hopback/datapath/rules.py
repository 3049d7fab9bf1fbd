"""The registry of the model's rules: each names the kernel function that it is the copy of.

Sources were read in Linux 6.12 unless a rule says otherwise. The differential test asks a kernel
about every rule but those marked ``assumed``, and notices if the model does the opposite.
"""

from types import MappingProxyType

from hopback.datapath.assumed import ASSUMED_RULES
from hopback.datapath.ip.rules import IP_RULES
from hopback.datapath.ipvs.rules import IPVS_RULES
from hopback.datapath.nd.rules import ND_RULES
from hopback.datapath.rule import RuleInfo
from hopback.datapath.tunnel_rules import TUNNEL_RULES

_INPUT = "net/bridge/br_input.c"
_FORWARD = "net/bridge/br_forward.c"
_FDB = "net/bridge/br_fdb.c"
_MULTICAST = "net/bridge/br_multicast.c"
_PROXY = "net/bridge/br_arp_nd_proxy.c"
_VLAN = "net/bridge/br_vlan.c"
_BOND = "drivers/net/bonding/bond_main.c"
_MACVLAN = "drivers/net/macvlan.c"
_VXLAN = "drivers/net/vxlan/vxlan_core.c"

RULES = MappingProxyType(
    {
        "source-invalid": RuleInfo(
            f"{_INPUT}:br_handle_frame",
            "a frame whose source is a group address or zero is dropped before anything else",
        ),
        "pause-dropped": RuleInfo(
            f"{_INPUT}:br_handle_frame",
            "01:80:C2:00:00:01 (pause) is never forwarded",
        ),
        "link-local-up": RuleInfo(
            f"{_INPUT}:br_handle_local_finish",
            "a link-local group frame goes to the port's own device and is not forwarded",
        ),
        "state-drop": RuleInfo(
            f"{_INPUT}:br_handle_frame",
            "the port is neither learning nor forwarding: dropped, nothing learned",
        ),
        "learning-drop": RuleInfo(
            f"{_INPUT}:br_handle_frame_finish",
            "the port is in state learning: the source was learned, the frame is dropped",
        ),
        "locked-drop": RuleInfo(
            f"{_INPUT}:br_handle_frame_finish",
            "the port is locked and its table does not have this source there: dropped",
        ),
        "vlan-ingress": RuleInfo(
            f"{_VLAN}:__allowed_ingress",
            "the port does not let the frame's VLAN in, or has no PVID for a frame without one",
            "vlan",
        ),
        "vlan-egress": RuleInfo(
            f"{_VLAN}:br_allowed_egress", "the frame's VLAN may not leave by this port", "vlan"
        ),
        "vlan-local": RuleInfo(
            f"{_INPUT}:br_pass_frame_up", "the host itself is not in the frame's VLAN", "vlan"
        ),
        "learn-new": RuleInfo(
            f"{_FDB}:br_fdb_update", "an unknown source is entered with the port it came in by"
        ),
        "learn-move": RuleInfo(
            f"{_FDB}:br_fdb_update",
            "a known source seen on another port moves there at once: the last frame wins",
        ),
        "learn-own": RuleInfo(
            f"{_FDB}:br_fdb_update",
            "the source is the bridge's or a port's own address: logged, entry unchanged,"
            " the frame goes on",
        ),
        "local-unicast": RuleInfo(
            f"{_INPUT}:br_handle_frame_finish",
            "the destination is the bridge's or a port's own address: to the host, not forwarded",
        ),
        "local-group": RuleInfo(
            f"{_INPUT}:br_handle_frame_finish",
            "a group frame is also delivered to the host, as the last copy",
        ),
        "fdb-hit": RuleInfo(
            f"{_FORWARD}:br_forward", "the table knows the destination: out of that port alone"
        ),
        "same-port": RuleInfo(
            f"{_FORWARD}:should_deliver",
            "the destination is on the port the frame came in by, and hairpin is off: dropped",
        ),
        "hairpin": RuleInfo(
            f"{_FORWARD}:should_deliver", "hairpin is on: the frame may leave by its own port"
        ),
        "flood": RuleInfo(
            f"{_FORWARD}:br_flood", "group or unknown destination: out of every port that floods"
        ),
        "flood-off": RuleInfo(f"{_FORWARD}:br_flood", "the port does not flood this kind of frame"),
        "egress-state": RuleInfo(
            f"{_FORWARD}:should_deliver", "the port is not forwarding: nothing leaves by it"
        ),
        "isolated": RuleInfo(
            f"{_FORWARD}:should_deliver", "both ports are isolated: nothing passes between them"
        ),
        "member": RuleInfo(
            f"{_FORWARD}:br_multicast_flood",
            "snooping knows a member of the group there, or a multicast router",
            "snooping",
        ),
        "not-member": RuleInfo(
            f"{_MULTICAST}:br_multicast_rcv",
            "there is a querier, and snooping knows no member of the group there",
            "snooping",
        ),
        "snooping-malformed": RuleInfo(
            f"{_MULTICAST}:br_multicast_rcv",
            "snooping drops an IP multicast, IGMP or MLD message that contradicts itself",
            "snooping",
        ),
        "suppressed": RuleInfo(
            f"{_FORWARD}:br_flood",
            "the port suppresses neighbours: what is announced, probed or already answered is not"
            " flooded to it",
            "suppress",
        ),
        "proxied": RuleInfo(
            f"{_PROXY}:br_do_proxy_suppress_arp",
            "the host and the table both know the neighbour: the bridge answers in its name",
            "suppress",
        ),
        "mab": RuleInfo(
            f"{_INPUT}:br_handle_frame_finish",
            "an unknown station of a locked port is entered, to wait for its authorisation",
            "port",
        ),
        "backup-port": RuleInfo(
            f"{_FORWARD}:br_forward",
            "the port has no carrier, so its backup port takes the frame",
            "port",
        ),
        "promisc-copy": RuleInfo(
            f"{_INPUT}:br_handle_frame_finish",
            "the bridge device is promiscuous: the host gets a copy of all that is forwarded",
            "port",
        ),
        "too-big": RuleInfo(
            f"{_FORWARD}:br_dev_queue_push_xmit",
            "the frame is larger than the port's MTU, its header and a VLAN tag: dropped, and no"
            " ICMP tells of it",
            "port",
        ),
        "no-port": RuleInfo(f"{_FORWARD}:br_flood", "no port was left to flood the frame to"),
        "host-to-port-address": RuleInfo(
            "net/bridge/br_device.c:br_dev_xmit",
            "the host sends to a port's own address: out of that port",
        ),
        "host-to-nowhere": RuleInfo(
            "net/bridge/br_device.c:br_dev_xmit",
            "the host sends to the bridge's own address, which has no port: dropped",
        ),
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
        "bond-lacp": RuleInfo(
            "drivers/net/bonding/bond_3ad.c:bond_3ad_lacpdu_recv",
            "a LACPDU is for the bond itself: it goes no further",
            "bond",
        ),
        "bond-inactive": RuleInfo(
            f"{_BOND}:bond_should_deliver_exact_match",
            "the leg is inactive: only a socket bound to it sees the frame",
            "bond",
        ),
        "bond-link-local": RuleInfo(
            f"{_BOND}:bond_handle_frame",
            "a link-local frame that comes in by an inactive leg stays on the leg",
            "bond",
        ),
        "bond-up": RuleInfo(
            f"{_BOND}:bond_handle_frame", "what comes in by the leg is the bond's", "bond"
        ),
        "bond-alb-host": RuleInfo(
            f"{_BOND}:bond_handle_frame",
            "balance-alb below a bridge: a frame to a leg's own address gets the bond's",
            "bond",
        ),
        "bond-rr": RuleInfo(
            f"{_BOND}:bond_xmit_roundrobin_slave_get", "the legs take turns", "bond"
        ),
        "bond-igmp": RuleInfo(
            f"{_BOND}:bond_xmit_roundrobin_slave_get",
            "IGMP does not take turns: it goes by the active leg",
            "bond",
        ),
        "bond-active": RuleInfo(
            f"{_BOND}:bond_xmit_activebackup_slave_get", "by the active leg", "bond"
        ),
        "bond-hash": RuleInfo(
            f"{_BOND}:bond_xmit_hash",
            "addresses (and ports) pick the leg, counted in the order in which legs are listed",
            "bond",
        ),
        "bond-broadcast": RuleInfo(
            f"{_BOND}:bond_xmit_broadcast", "a copy by every leg that has a link", "bond"
        ),
        "bond-balance": RuleInfo(
            "drivers/net/bonding/bond_alb.c:bond_do_alb_xmit",
            "the load picks the leg, whose address becomes the source if it is not the active one",
            "bond",
        ),
        "bond-no-leg": RuleInfo(f"{_BOND}:bond_tx_drop", "no leg can send: dropped", "bond"),
        "vlan-up": RuleInfo(
            "net/8021q/vlan_core.c:vlan_do_receive",
            "a VLAN device takes its VLAN's frames off the device below, before a bridge or a bond",
            "device",
        ),
        "vlan-down": RuleInfo(
            "net/8021q/vlan_dev.c:vlan_dev_hard_start_xmit",
            "a VLAN device tags the frame and hands it to the device below",
            "device",
        ),
        "macvlan-passthru": RuleInfo(
            f"{_MACVLAN}:macvlan_handle_frame",
            "the child in mode passthru takes every unicast; if it is down, nobody does",
            "macvlan",
        ),
        "macvlan-unicast": RuleInfo(
            f"{_MACVLAN}:macvlan_handle_frame",
            "the destination is a child's address: to that child, not to the device below",
            "macvlan",
        ),
        "macvlan-pass": RuleInfo(
            f"{_MACVLAN}:macvlan_handle_frame",
            "no child's, or a group's: the device below takes it too",
            "macvlan",
        ),
        "macvlan-group": RuleInfo(
            f"{_MACVLAN}:macvlan_multicast_rx",
            "a group frame from none of the children: a copy to each",
            "macvlan",
        ),
        "macvlan-own-vepa": RuleInfo(
            f"{_MACVLAN}:macvlan_multicast_rx",
            "a vepa child's own group frame is back: to the other children, vepa or bridge",
            "macvlan",
        ),
        "macvlan-own-bridge": RuleInfo(
            f"{_MACVLAN}:macvlan_multicast_rx",
            "a bridge child's own group frame is back: to vepa children, the others have seen it",
            "macvlan",
        ),
        "macvlan-own-back": RuleInfo(
            f"{_MACVLAN}:macvlan_handle_frame",
            "a private or passthru child's own group frame is back: to that child and nobody else",
            "macvlan",
        ),
        "macvlan-sibling": RuleInfo(
            f"{_MACVLAN}:macvlan_queue_xmit",
            "from one bridge child to another: in by the device below, and not out of it",
            "macvlan",
        ),
        "macvlan-copy": RuleInfo(
            f"{_MACVLAN}:macvlan_queue_xmit",
            "a bridge child sends to a group: a copy to each of its siblings in mode bridge",
            "macvlan",
        ),
        "macvlan-out": RuleInfo(f"{_MACVLAN}:macvlan_queue_xmit", "by the device below", "macvlan"),
        "vxlan-known": RuleInfo(
            f"{_VXLAN}:vxlan_xmit",
            "the device's table knows the destination: to its remote",
            "vxlan",
        ),
        "vxlan-flood": RuleInfo(
            f"{_VXLAN}:vxlan_xmit",
            "its table does not know the destination: a copy to each remote of the flood list",
            "vxlan",
        ),
        "vxlan-no-remote": RuleInfo(
            f"{_VXLAN}:vxlan_xmit",
            "its table does not know the destination, and there is no flood list: dropped",
            "vxlan",
        ),
        "vxlan-local": RuleInfo(
            f"{_VXLAN}:encap_bypass_if_local",
            "the remote is an address of this host: the frame comes in again by the device",
            "vxlan",
        ),
        "vxlan-no-vni": RuleInfo(
            f"{_VXLAN}:encap_bypass_if_local",
            "the remote is an address of this host, which has no device of that VNI: dropped",
            "vxlan",
        ),
        "vxlan-own-route": RuleInfo(
            f"{_VXLAN}:vxlan_get_route",
            "the route to the remote leads into the device itself: dropped, and counted as a"
            " collision",
            "underlay",
        ),
        "vxlan-remote": RuleInfo(
            f"{_VXLAN}:vxlan_rcv", "received by the other host's device of that VNI", "vxlan"
        ),
        "vxlan-own-source": RuleInfo(
            f"{_VXLAN}:vxlan_set_mac",
            "the source is the receiving device's own address: dropped",
            "vxlan",
        ),
        "vxlan-source-invalid": RuleInfo(
            f"{_VXLAN}:vxlan_snoop",
            "the device learns, and the source is a group address or zero: dropped",
            "vxlan",
        ),
        "vxlan-pinned": RuleInfo(
            f"{_VXLAN}:vxlan_snoop",
            "the device learns, and a permanent entry has the source at another remote: dropped",
            "vxlan",
        ),
        "vxlan-learn-new": RuleInfo(
            f"{_VXLAN}:vxlan_snoop",
            "an unknown source is entered with the remote it came from",
            "vxlan",
        ),
        "vxlan-learn-move": RuleInfo(
            f"{_VXLAN}:vxlan_snoop", "a known source follows to the remote it came from", "vxlan"
        ),
        "veth": RuleInfo(
            "drivers/net/veth.c:veth_xmit", "what enters one end leaves the other", "device"
        ),
        "veth-too-big": RuleInfo(
            "net/core/dev.c:__dev_forward_skb",
            "the frame is larger than the far end's MTU, its header and a VLAN tag: dropped, and no"
            " ICMP tells of it",
            "device",
        ),
        "station": RuleInfo(
            "net/ethernet/eth.c:eth_type_trans",
            "a station takes what is for its address or a group; it does not look at the source",
            "device",
        ),
        **ND_RULES,
        **IP_RULES,
        **IPVS_RULES,
        **TUNNEL_RULES,
        "aged": RuleInfo(
            f"{_FDB}:br_fdb_cleanup",
            "no frame with this source came in for ageing_time: the entry is removed",
            "time",
        ),
        **ASSUMED_RULES,
    }
)

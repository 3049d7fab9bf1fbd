"""The registry of the model's rules: each names the kernel function that it is the copy of.

Sources were read in Linux 6.12 unless a rule says otherwise. Tests ask a kernel about every rule
but those of the areas ``assumed`` and ``wireguard``, and notice if the model does the opposite.
"""

from types import MappingProxyType

from hopback.datapath.assumed import ASSUMED_RULES
from hopback.datapath.bridge.rules import BRIDGE_RULES
from hopback.datapath.ip.rules import IP_RULES
from hopback.datapath.ipvs.rules import IPVS_RULES
from hopback.datapath.nd.rules import ND_RULES
from hopback.datapath.netfilter.rules import NETFILTER_RULES
from hopback.datapath.rule import RuleInfo
from hopback.datapath.tunnel_rules import TUNNEL_RULES

_FDB = "net/bridge/br_fdb.c"
_BOND = "drivers/net/bonding/bond_main.c"
_MACVLAN = "drivers/net/macvlan.c"
_VXLAN = "drivers/net/vxlan/vxlan_core.c"

RULES = MappingProxyType(
    {
        **BRIDGE_RULES,
        **NETFILTER_RULES,
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

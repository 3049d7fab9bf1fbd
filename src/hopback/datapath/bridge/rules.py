"""The rules of the bridge, for ``datapath.rules``."""

from hopback.datapath.rule import RuleInfo

_INPUT = "net/bridge/br_input.c"
_FORWARD = "net/bridge/br_forward.c"
_FDB = "net/bridge/br_fdb.c"
_MULTICAST = "net/bridge/br_multicast.c"
_PROXY = "net/bridge/br_arp_nd_proxy.c"
_VLAN = "net/bridge/br_vlan.c"

BRIDGE_RULES = {
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
}

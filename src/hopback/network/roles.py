"""What a bridge port leads to, from its driver or, where no listing shows it, from its name."""

import re
from typing import Literal

Role = Literal["guest", "uplink", "link", "unknown"]
"""guest: a station's tap or veth; uplink: out of the host; link: to another switch we may see."""

_GUEST_NAME = re.compile(
    r"(?:tap|vnet|vif|veth|lxc|cali|macvtap|fwpr|ovn-veth|qvo|qvm)[\w.-]*|docker[0-9a-f]{6,}"
)
_UPLINK_NAME = re.compile(
    r"(?:bond|team|eth|en[opsxd]|em|wl|ib|igb|p\d+p|venet|lan|wan|sfp|qvb|ens|eno)[\w.-]*"
)
_GUEST_KINDS = frozenset({"tun", "tap", "macvtap"})
_UPLINK_KINDS = frozenset({"bond", "team", "vlan", "vxlan", "gretap", "ip6gretap", "geneve"})


def role_of(name: str, kind: str | None) -> Role:
    """The role of the port ``name`` whose driver is ``kind`` (None unknown, "" a real NIC)."""
    if kind in _GUEST_KINDS:
        return "guest"
    if kind in _UPLINK_KINDS:
        return "uplink"
    if _GUEST_NAME.fullmatch(name):
        return "guest"
    if _UPLINK_NAME.fullmatch(name) and kind != "veth":
        return "uplink"
    if kind == "":
        return "uplink"
    return "link" if kind == "veth" else "unknown"


def base_device(name: str) -> str:
    """``bond0`` of ``bond0.2222``: the name before a VLAN suffix."""
    base, dot, vid = name.rpartition(".")
    return base if dot and vid.isdigit() else name

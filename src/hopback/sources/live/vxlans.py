"""VXLAN devices, from the nested attributes of RTM_NEWLINK.

``drivers/net/vxlan/vxlan_core.c:vxlan_fill_info`` (IFLA_VXLAN_*).
"""

from ipaddress import ip_address

from hopback.snapshot.rows import Vxlan
from hopback.snapshot.table import Cite
from hopback.sources.live.addresses import format_ip
from hopback.sources.live.netlink import Attributes, number
from hopback.sources.live.reading import Names

_ID, _GROUP, _LINK, _LOCAL, _LEARNING, _PROXY, _PORT = 1, 2, 3, 4, 7, 11, 15
_GROUP6, _LOCAL6, _COLLECT_METADATA = 16, 17, 25


def vxlan(cite: Cite, netns: str, name: str, data: Attributes, known: Names) -> Vxlan:
    """A VXLAN device's settings; the kernel leaves out the addresses that are not set."""
    first = _address(data, _GROUP, _GROUP6)
    is_group = bool(first) and ip_address(first).is_multicast
    external = any(data.get(_COLLECT_METADATA, b""))
    link = number(data.get(_LINK, b""))
    return Vxlan(
        cite=cite,
        netns=netns,
        name=name,
        vni=None if external else number(data.get(_ID, b"")),
        local=_address(data, _LOCAL, _LOCAL6),
        remote="" if is_group else first,
        group=first if is_group else "",
        port=int.from_bytes(data.get(_PORT, b""), "big"),
        lower=known[link] if link else None,
        learning=any(data.get(_LEARNING, b"")),
        proxy=any(data.get(_PROXY, b"")),
        collect_metadata=external,
    )


def _address(data: Attributes, v4: int, v6: int) -> str:
    raw = data.get(v4) or data.get(v6)
    return format_ip(raw) if raw else ""

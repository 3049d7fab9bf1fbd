"""Where the other end of a veth is: RTM_GETNSID tells which namespace a link's netnsid means.

The kernel numbers the namespaces it has to mention separately in each namespace
(``net/core/net_namespace.c``); RTM_GETNSID turns an open namespace into the number used here.
"""

import os
import struct
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from hopback.snapshot.rows import Link
from hopback.sources.live.namespaces import Netns
from hopback.sources.live.netlink import Netlink, attributes, pack_attribute
from hopback.sources.live.reading import Names

_RTM_GETNSID = 90
_RTGENMSG = b"\0\0\0\0"  # AF_UNSPEC, padded
_NETNSA_NSID, _NETNSA_FD = 1, 3


def resolve(link: Netlink, wanted: set[int], among: Sequence[Netns]) -> dict[int, str]:
    """The names of the namespaces that ``wanted`` netnsids of this namespace mean, where known."""
    known: dict[int, str] = {}
    for netns in among:
        if wanted <= known.keys():
            break
        number = _number(link, netns)
        if number in wanted:
            known[number] = netns.name
    return known


def _number(link: Netlink, netns: Netns) -> int:
    """The netnsid that this namespace uses for ``netns``, -1 if it has none."""
    try:
        handle = os.open(netns.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1  # gone, or not ours to open
    try:
        body = _RTGENMSG + pack_attribute(_NETNSA_FD, struct.pack("=i", handle))
        found = attributes(link.ask(_RTM_GETNSID, body), len(_RTGENMSG))
    except OSError:
        return -1
    finally:
        os.close(handle)
    number: int = struct.unpack("=i", found.get(_NETNSA_NSID, b"\xff\xff\xff\xff"))[0]
    return number


def placed(link: Link, where: Mapping[int, str], names: Mapping[str, Names]) -> Link:
    """``link`` with its peer's namespace, and the peer's name if that namespace was read."""
    if link.lower_netnsid is None or link.lower_netnsid not in where:
        return link
    peer = where[link.lower_netnsid]
    known = names.get(peer, Names())
    return replace(link, peer_netns=peer, lower=known.get(link.lower_index or 0))


def wanted(links: Iterable[Link]) -> set[int]:
    """The netnsids that these links mention."""
    return {link.lower_netnsid for link in links if link.lower_netnsid is not None}

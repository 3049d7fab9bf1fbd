"""ARP and ND caches and the addresses proxied for: RTM_GETNEIGH."""

import struct
from collections.abc import Iterable, Iterator

from hopback.snapshot.rows import Neighbour
from hopback.sources.live.addresses import format_ip
from hopback.sources.live.netlink import Netlink, attributes, mac_of
from hopback.sources.live.reading import Origin, Reading

_RTM_GETNEIGH = 30
_NDMSG = struct.Struct("=BxxxiHBB")  # family, ifindex, state, flags, type
_NDA_DST, _NDA_LLADDR = 1, 2
_NTF_PROXY, _NTF_ROUTER = 0x08, 0x80
_NUD_NOARP = 0x40
_STATES = {
    0x01: "INCOMPLETE",
    0x02: "REACHABLE",
    0x04: "STALE",
    0x08: "DELAY",
    0x10: "PROBE",
    0x20: "FAILED",
    0x80: "PERMANENT",
}


def read(reading: Reading, link: Netlink) -> None:
    """Add the neighbours of both families, then what this host answers for (proxy ARP and ND)."""
    requests = [
        ("RTM_GETNEIGH (ip neigh show)", _NDMSG.pack(0, 0, 0, 0, 0)),
        ("RTM_GETNEIGH NTF_PROXY (ip neigh show proxy)", _NDMSG.pack(0, 0, 0, _NTF_PROXY, 0)),
    ]
    reading.take(link, _RTM_GETNEIGH, requests, decode, Neighbour)


def decode(origin: Origin, messages: Iterable[bytes]) -> Iterator[Neighbour]:
    """The rows of one dump, without NUD_NOARP (the kernel's own multicast mappings)."""
    for line, message in enumerate(messages, 1):
        _, index, state, flags, _ = _NDMSG.unpack_from(message)
        found = attributes(message, _NDMSG.size)
        if state == _NUD_NOARP or _NDA_DST not in found:
            continue
        yield Neighbour(
            cite=origin.cite(line),
            netns=origin.netns,
            dev=origin.names[index],
            address=format_ip(found[_NDA_DST]),
            mac=mac_of(found, _NDA_LLADDR),
            state=_STATES.get(state),
            router=bool(flags & _NTF_ROUTER),
            proxy=bool(flags & _NTF_PROXY),
        )

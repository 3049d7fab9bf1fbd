"""What a route is looked up by (struct flowi4, flowi6)."""

from msgspec import Struct

from hopback.datapath.skb import Ip
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.tcp import Tcp
from hopback.frames.udp import Udp


class Key(Struct, frozen=True):
    """A packet for ``target`` as the policy rules and tables see it.

    ``source`` is None where the host has still to choose one. ``iif`` is the device by which the
    packet came in, "" for the host's own; ``oif`` one that it is bound to leave by, ``vrf`` the
    VRF device that it belongs to where these do not tell (flowi_l3mdev). ``protocol`` is None
    where none is told, ``uid`` the sender's user, None where nobody knows: the kernel's own
    packets, and those it forwards, are root's.
    """

    target: Ip
    source: Ip | None = None
    mark: int = 0
    iif: str = ""
    oif: str = ""
    vrf: str = ""
    protocol: int | None = None
    source_port: int = 0
    target_port: int = 0
    tos: int = 0
    uid: int | None = 0


def key_of(
    packet: Ipv4 | Ipv6, *, mark: int = 0, iif: str = "", oif: str = "", uid: int | None = 0
) -> Key:
    """The key of a packet (ip_route_input_slow, ip6_route_input; ip_route_me_harder).

    Ports are those that the flow dissector finds (net/core/flow_dissector.c): of TCP and UDP, and
    of no fragment.
    """
    body = packet.payload
    ports = (body.sport, body.dport) if isinstance(body, Tcp | Udp) else (0, 0)
    tos = packet.tos if isinstance(packet, Ipv4) else packet.traffic_class
    return Key(
        target=packet.dst,
        source=packet.src,
        mark=mark,
        iif=iif,
        oif=oif,
        protocol=packet.protocol,
        source_port=ports[0],
        target_port=ports[1],
        tos=tos,
        uid=uid,
    )

"""Inside user-mode Linux: what the kernel makes of the scenes, and what its directors list.

usage: python -m tests.truth.played [NAME ...]

One JSON document for each scene on standard output.
"""

import socket
import sys
from collections.abc import Iterable
from contextlib import ExitStack

import msgspec

from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import format_mac, is_group
from tests.kernel.directors_rig import NIC, VIP, VIP6, Directors, address, address6, host_name, mac
from tests.kernel.hearing import hear, heard
from tests.truth.directing import HOPS, PEERS, PORT, SCENES, Outcome, Scene, told

FRAMES_MAX = 400
"""By then a packet has been on the wire more often than its hops allow."""

_RENEWED = (
    "*mangle",
    f"-A PREROUTING -i {NIC} -p udp --dport {PORT} -j TTL --ttl-set {HOPS}",
    "COMMIT",
)
_LISTINGS = (
    "uname -a",
    "ip -d -j link",
    "ip -d -j addr",
    "ip -d -j route show table all",
    "ip -j -6 route show table all",
    "ip -j rule",
    "ip -j -6 rule",
    "ip -j neigh",
    "sysctl net.ipv4.conf net.ipv4.vs net.ipv4.ip_forward net.ipv6.conf",
    "ipvsadm -Sn",
    "ipvsadm -L --daemon",
)


class Played(msgspec.Struct, frozen=True):
    """What became of a scene's packet, and a paste of what both directors listed before."""

    name: str
    outcome: Outcome
    paste: str


def play(scene: Scene) -> Played:
    """Set both directors up, list, and let the client send its packet."""
    with Directors(FRAMES_MAX) as directors, ExitStack() as undo:
        sockets = {role: _hearing(undo, directors, role) for role in PEERS}
        for role in PEERS:
            _set_up(directors, role, scene)
        paste = "".join(_listed(directors, role, scene) for role in PEERS)
        if scene.old:
            for role in PEERS:
                directors.iptables(role, *_RENEWED)
        directors.segment.settle()
        directors.segment.take()
        directors.segment.send("client", encode(scene.packet))
        directors.segment.settle()
        taken = [role for role in PEERS if any(heard(sockets[role]))]
        wire = [decode(each.frame) for each in directors.segment.take()]
        endless = directors.segment.cut
    return Played(scene.name, _outcome(wire, "".join(taken), endless), paste)


def _set_up(directors: Directors, role: str, scene: Scene) -> None:
    directors.set(role, conf__all__rp_filter=0, icmp_ratemask=0, ip_forward=1)
    directors.set6(role, conf__all__forwarding=1)
    lines = [_tunnel(scene, role)] if scene.tunnel else []
    device = scene.holders.get(role)
    unused = " preferred_lft 0" if scene.deprecated else ""
    if device:
        lines += [
            f"addr add {VIP}/32 dev {device}",
            f"addr add {VIP6}/128 dev {device} nodad{unused}",
        ]
    else:
        at = format_mac(mac(PEERS[role]))
        lines += [f"neigh add {vip} lladdr {at} dev {NIC} nud permanent" for vip in (VIP, VIP6)]
    directors.ip(role, *lines)
    if scene.tunnel:
        directors.set6(role, conf__tn0__disable_ipv6=0)
        directors.ip(role, "link set tn0 up")
    if scene.mangle:
        directors.iptables(role, *scene.mangle)
    directors.ipvs(role, *scene.lines(role))
    directors.set(role, **scene.settings)  # those of IPVS are there since it was loaded
    if scene.daemon and role == "b":
        directors.run(role, "ipvsadm", "--start-daemon", "backup", "--mcast-interface", NIC)


def _tunnel(scene: Scene, role: str) -> str:
    """The device that takes packets out of the tunnel that IPVS puts them into."""
    if scene.tunnel == "ipip":
        return f"link add tn0 type ipip local {address(role)}"
    return f"link add tn0 type ip6tnl mode any local {address6(role)} remote ::"


def _listed(directors: Directors, role: str, scene: Scene) -> str:
    """What a director lists, as a paste of its commands."""
    commands = [*_LISTINGS, *(["iptables-legacy-save"] if scene.mangle else [])]
    listed = [(words, directors.run(role, *words.split())) for words in commands]
    return "".join(f"{host_name(role)}# {words}\n{output}\n" for words, output in listed)


def _hearing(undo: ExitStack, directors: Directors, role: str) -> list[socket.socket]:
    """Sockets that get a copy of whatever the director takes for its own."""
    with directors.inside(role):
        return [
            hear(undo, family, protocol)
            for family in (socket.AF_INET, socket.AF_INET6)
            for protocol in (socket.IPPROTO_UDP, socket.IPPROTO_TCP)
        ]


def _outcome(wire: Iterable[Frame], taken: str, endless: bool) -> Outcome:
    packets = [
        frame
        for frame in wire
        if not is_group(frame.dst) and isinstance(frame.payload, Ipv4 | Ipv6)
    ]
    errors = [p for p in packets if isinstance(getattr(p.payload, "payload", None), Icmp | Icmpv6)]
    frames = None if endless else len(packets) - len(errors)
    return Outcome(frames, taken, () if taken else told(errors))


def main(names: list[str]) -> None:
    for scene in SCENES:
        if not names or scene.name in names:
            sys.stdout.buffer.write(msgspec.json.encode(play(scene)) + b"\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])

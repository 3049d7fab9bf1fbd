"""The IP layer of a namespace: its tables, its filters, and the last steps of every packet.

net/ipv4/ip_output.c, net/ipv6/ip6_output.c (Linux 6.12).
"""

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.bridge.state import NeighbourEntry
from hopback.datapath.effects import Ask, Blind, Deliver, Drop, Effect, Send, Why, World
from hopback.datapath.ip.host import Host, VrfOf
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.neighbour import resolve
from hopback.datapath.ip.packet import may_be_cut, packet_of, size_of
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.ipvs.hooks import Ipvs
from hopback.datapath.netfilter.hooks import Netfilter
from hopback.datapath.netfilter.packet import ChainFamily, Passed, Seen
from hopback.datapath.netfilter.traverse import ANY_PRIORITY
from hopback.datapath.skb import Ip, Skb
from hopback.datapath.tunnel_state import WITHOUT_NEIGHBOURS
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import ZERO, Mac
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.model import Network
from hopback.snapshot.rows import Hook

Stop = Drop | Ask | Blind

ROUND_A_VRF = "a packet that goes out by a VRF whose table leads to its own device"


class IpLayer(Struct, frozen=True):
    """The IP layer of ``host``, and the filters and the IPVS of its namespace if there are any.

    ``inside`` are devices whose other end is in sight: a bridge, a veth.
    """

    host: Host
    network: Network
    world: World
    netfilter: Netfilter | None = None
    inside: frozenset[DevId] = frozenset()
    ipvs: Ipvs | None = None

    def in_world(self, world: World) -> "IpLayer":
        """The same where these answers hold."""
        ipvs = self.ipvs and Ipvs(replace(self.ipvs.layer, world=world))
        return replace(self, world=world, ipvs=ipvs)

    def takes(self, frame: Frame) -> bool:
        """Whether it is a packet of a family whose addresses and routes are known."""
        packet = packet_of(frame)
        return packet is not None and packet.src.version in self.host.families

    def call(
        self,
        hook: Hook,
        frame: Frame,
        skb: Skb,
        *,
        indev: str = "",
        outdev: str = "",
        nexthop: Ip | None = None,
        priorities: range = ANY_PRIORITY,
    ) -> Passed | Stop:
        """What the filters at a hook of IP make of a packet, those of ``priorities`` only.

        What came in by a device of a VRF has come in by the VRF from PREROUTING on.
        """
        if hook != "prerouting" and indev in self.host.vrfs:
            indev = self.host.vrfs[indev].dev
        if self.netfilter is None:
            return Passed(frame, skb)
        family: ChainFamily = "ip" if isinstance(frame.payload, Ipv4) else "ip6"
        seen = Seen(family, hook, frame, skb, indev, outdev, skb.physin, nexthop=nexthop)
        return self.netfilter.call(self.world, seen, priorities=priorities)

    def mtu(self, way: Way) -> int:
        """What the device that is the ``way`` out takes; Ethernet's own where nothing tells it."""
        device = self.network.devices.get(self.host.id._replace(name=way.dev))
        return device.mtu.value if device and device.mtu else 1500

    def too_big(self, packet: Ipv4 | Ipv6, way: Way) -> Drop | Blind | None:
        """Why a packet does not fit the device that is its ``way`` out."""
        device = self.network.devices.get(self.host.id._replace(name=way.dev))
        mtu = device.mtu if device else None
        if mtu is None or size_of(packet) <= mtu.value:
            return None
        if may_be_cut(packet):
            return Blind("a packet that is sent on in fragments", mtu.refs)
        return Drop(Why("ip-too-big", merge_refs(way.refs, mtu.refs)))

    def finish(self, sent: Passed, way: Way, why: Why, within: tuple[str, ...] = ()) -> Effect:
        """ip_output.c:ip_finish_output2: the frame is the neighbour's.

        ``within``: the VRFs by whose devices it is going out already.
        """
        vrf = self.host.vrfs.get(way.dev)
        if vrf is not None and vrf.dev == way.dev:
            if vrf.dev in within:  # and so on: the tables are the same each time
                return Drop(Why("vrf-recursion", why.refs))
            return self._through(sent, vrf, why, within)
        out = self.host.id._replace(name=way.dev)
        device = self.network.devices.get(out)
        if device and device.kind and device.kind.value in WITHOUT_NEIGHBOURS:
            skb = replace(sent.skb, physin="", dnatted=False, packet_type=None)
            frame = replace(sent.frame, dst=ZERO, src=ZERO)
            return Send(out, frame, also(why, device.kind.refs), skb)
        found = self.neighbour(out, way.nexthop)
        if not isinstance(found, NeighbourEntry):
            return because(found, why.refs)
        mac = device.mac if device else None
        if mac is None:
            return Blind(f"the MAC of {out.name}, which no listing shows", ())
        frame = replace(sent.frame, dst=found.mac, src=Mac(mac.value))
        skb = replace(sent.skb, physin="", dnatted=False, packet_type=None)
        return Send(out, frame, also(why, found.refs), skb)

    def _through(self, sent: Passed, vrf: VrfOf, why: Why, within: tuple[str, ...]) -> Effect:
        """Out by a VRF device: routed once more, by its table (vrf_process_v4_outbound)."""
        packet = packet_of(sent.frame)
        if packet is None:
            return Blind("a packet that is none", vrf.refs)
        tos = packet.tos if isinstance(packet, Ipv4) else packet.traffic_class
        key = Key(packet.dst, packet.src, oif=vrf.dev, protocol=packet.protocol, tos=tos)
        way = lookup(self.host, self.world, key)
        if not isinstance(way, Way):
            return because(way, why.refs)
        why = also(why, merge_refs(vrf.refs, way.refs))
        if way.kind == "out" and way.dev == vrf.dev:
            return Blind(ROUND_A_VRF, why.refs)
        if way.kind != "out":
            passed = self.unchanged(sent, vrf, ("prerouting", "input"), indev=vrf.dev)
        else:
            passed = self.unchanged(sent, vrf, outdev=way.dev)
        if not isinstance(passed, Passed):
            return because(passed, why.refs)
        why = also(why, passed.refs)
        if way.kind != "out":
            return Deliver(self.host.id._replace(name=vrf.dev), sent.frame, "host", why, sent.skb)
        return self.finish(sent, way, why, (*within, vrf.dev))

    def unchanged(
        self,
        sent: Passed,
        vrf: VrfOf,
        hooks: tuple[Hook, ...] = ("output", "postrouting"),
        *,
        indev: str = "",
        outdev: str = "",
    ) -> Passed | Stop:
        """What filters make of a packet that passes a VRF's device: they may stop it, no more."""
        refs: tuple[Ref, ...] = ()
        for hook in hooks:
            passed = self.call(hook, sent.frame, sent.skb, indev=indev, outdev=outdev)
            if not isinstance(passed, Passed):
                return because(passed, refs)
            if (passed.frame, passed.skb.mark) != (sent.frame, sent.skb.mark):
                return Blind(f"what filters change in the VRF {vrf.dev}", vrf.refs)
            refs = merge_refs(refs, passed.refs)
        return Passed(sent.frame, sent.skb, refs)

    def neighbour(self, out: DevId, nexthop: Ip) -> NeighbourEntry | Stop:
        """Who ``nexthop`` is on the device ``out``."""
        outside = out not in self.inside
        return resolve(self.network, self.host, self.world, out.name, nexthop, outside=outside)


def also(why: Why, refs: tuple[Ref, ...]) -> Why:
    """The reason with more rows that led to it."""
    return Why(why.rule, merge_refs(why.refs, refs))


def because(stop: Stop, refs: tuple[Ref, ...]) -> Stop:
    """A drop that rules led to also cites those."""
    return replace(stop, why=also(stop.why, refs)) if isinstance(stop, Drop) else stop

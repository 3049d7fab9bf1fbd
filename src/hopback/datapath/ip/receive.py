"""A packet goes up the IP layer: to the host itself, or on by another device.

net/ipv4/ip_input.c, ip_forward.c, ip_output.c; net/ipv6/ip6_input.c, ip6_output.c (Linux 6.12).
"""

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.bridge.state import NeighbourEntry
from hopback.datapath.effects import Ask, Blind, Deliver, Drop, Effect, Send, Why, World
from hopback.datapath.ip.host import Host
from hopback.datapath.ip.input import forwards, route_input
from hopback.datapath.ip.neighbour import resolve
from hopback.datapath.ip.packet import (
    addresses,
    hops_left,
    is_invalid,
    may_be_cut,
    one_hop_less,
    packet_of,
    size_of,
)
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.ipvs.hooks import Ipvs
from hopback.datapath.ipvs.packet import Out, Refusal, Told
from hopback.datapath.netfilter.hooks import Netfilter
from hopback.datapath.netfilter.packet import ChainFamily, Passed, Seen
from hopback.datapath.netfilter.traverse import ANY_PRIORITY
from hopback.datapath.skb import FRESH, Ip, Skb
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Fact, Ref, merge_refs
from hopback.network.model import Network
from hopback.snapshot.rows import Hook

Stop = Drop | Ask | Blind

_IPVS = 98  # NF_IP_PRI_NAT_SRC - 2
_BEFORE_IPVS = range(ANY_PRIORITY.start, _IPVS)
_AFTER_IPVS = range(_IPVS, ANY_PRIORITY.stop)


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

    def takes(self, frame: Frame) -> bool:
        """Whether it is a packet of a family whose addresses and routes are known."""
        packet = packet_of(frame)
        return packet is not None and packet.src.version in self.host.families

    def receive(self, up: Deliver) -> tuple[Effect, ...]:
        """What becomes of a packet that came up on ``up.dev`` (ip_rcv, ipv6_rcv)."""
        if up.packet_type == "otherhost" or not self.takes(up.frame):
            return (up,)
        if is_invalid(up.frame):
            return (Drop(Why("ip-invalid")),)
        entered = self._prerouting(up)
        if not isinstance(entered, Passed):
            return (entered,)
        up = replace(up, frame=entered.frame, skb=entered.skb, why=_with(up.why, entered.refs))
        packet = packet_of(up.frame)
        if packet is None:
            return (up,)
        way = route_input(self.host, self.world, *addresses(packet), up.dev.name)
        if not isinstance(way, Way):
            return (_because(way, entered.refs),)
        if way.kind != "out":
            return self._local(up, way)
        return (self._forward(up, packet, way),)

    def _prerouting(self, up: Deliver) -> Passed | Stop:
        """br_netfilter_hooks.c:ip_sabotage_in: not once more after a bridge has called it."""
        if up.skb.physin:
            return Passed(up.frame, up.skb)
        return self._call("prerouting", up.frame, up.skb, indev=up.dev.name)

    def _local(self, up: Deliver, way: Way) -> tuple[Effect, ...]:
        """ip_local_deliver: IPVS stands between the filters and NAT."""
        before = self._call("input", up.frame, up.skb, indev=up.dev.name, priorities=_BEFORE_IPVS)
        if not isinstance(before, Passed):
            return (before,)
        if self.ipvs is not None and up.packet_type == "host":
            decision = self.ipvs.input(before.frame, before.skb)
            if not isinstance(decision, Passed):
                return self._handed_on(decision, merge_refs(way.refs, before.refs))
            refs = merge_refs(before.refs, decision.refs)
            before = replace(decision, refs=refs)
        passed = self._call(
            "input", before.frame, before.skb, indev=up.dev.name, priorities=_AFTER_IPVS
        )
        if not isinstance(passed, Passed):
            return (_because(passed, before.refs),)
        skb = replace(passed.skb, physin="", dnatted=False, packet_type=None)
        why = _with(up.why, way.refs + before.refs + passed.refs)
        return (Deliver(up.dev, passed.frame, up.packet_type, why, skb),)

    def _handed_on(self, decision: Out | Refusal, refs: tuple[Ref, ...]) -> tuple[Effect, ...]:
        """What IPVS does not leave to the host's own stack."""
        if isinstance(decision, Told):
            return (Drop(_with(decision.why, refs)),)
        if not isinstance(decision, Out):
            return (_because(decision, refs),)
        why = _with(decision.why, refs)
        sent = self._leave(Passed(decision.frame, decision.skb), decision.way, why)
        return (sent,)

    def _leave(self, sent: Passed, way: Way, why: Why) -> Effect:
        """From LOCAL_OUT on (ip_local_out), the way being settled."""
        for hook in ("output", "postrouting"):
            passed = self._call(hook, sent.frame, sent.skb, outdev=way.dev, nexthop=way.nexthop)
            if not isinstance(passed, Passed):
                return _because(passed, why.refs)
            sent, why = passed, _with(why, passed.refs)
        return self._out(self.host.id._replace(name=way.dev), sent, way, why)

    def _forward(self, up: Deliver, packet: Ipv4 | Ipv6, way: Way) -> Effect:
        """ip_forward.c:ip_forward, ip6_output.c:ip6_forward."""
        refused = self._unforwardable(up, packet, way)
        if refused is not None:
            return refused
        out = up.dev._replace(name=way.dev)
        frame = one_hop_less(up.frame, packet)
        passed = self._call(
            "forward", frame, up.skb, indev=up.dev.name, outdev=way.dev, nexthop=way.nexthop
        )
        if not isinstance(passed, Passed):
            return passed
        last = self._call(
            "postrouting",
            passed.frame,
            passed.skb,
            indev=up.dev.name,
            outdev=way.dev,
            nexthop=way.nexthop,
        )
        if not isinstance(last, Passed):
            return last
        refs = merge_refs(up.why.refs, way.refs, passed.refs, last.refs)
        return self._out(out, last, way, Why("ip-forward", refs))

    def send(self, frame: Frame) -> Effect:
        """A packet of the host's own, in a frame whose MACs are still open (ip_local_out).

        Where it goes is decided before its filters see it, and anew if they give it another
        destination (ip_route_me_harder). What the host sends to itself is not followed.
        """
        way = self._way_out(frame)
        if not isinstance(way, Way):
            return way
        passed = self._call("output", frame, FRESH, outdev=way.dev, nexthop=way.nexthop)
        if not isinstance(passed, Passed):
            return passed
        way = self._way_out(passed.frame)
        if not isinstance(way, Way):
            return _because(way, passed.refs)
        last = self._call(
            "postrouting", passed.frame, passed.skb, outdev=way.dev, nexthop=way.nexthop
        )
        if not isinstance(last, Passed):
            return last
        out = self.host.id._replace(name=way.dev)
        refs = merge_refs(way.refs, passed.refs, last.refs)
        return self._out(out, last, way, Why("ip-output", refs))

    def _way_out(self, frame: Frame) -> Way | Drop | Blind:
        packet = packet_of(frame)
        if packet is None:
            return Blind("a packet that is none", ())
        way = lookup(self.host, packet.dst)
        if isinstance(way, Way) and way.kind != "out":
            return Blind("a packet of the host to itself or to all", way.refs)
        return (self._too_big(packet, way) if isinstance(way, Way) else None) or way

    def _unforwardable(self, up: Deliver, packet: Ipv4 | Ipv6, way: Way) -> Stop | None:
        if isinstance(packet, Ipv6):
            told = forwards(self.host, self.world, up.dev.name, 6)
            if not isinstance(told, Fact):
                return told
        if up.packet_type != "host":
            return Drop(Why("ip-not-for-host"))
        if hops_left(packet) <= 1:
            return Drop(Why("ip-ttl"))
        elsewhere = way.dev != up.dev.name and not up.skb.dnatted
        if isinstance(packet, Ipv6) and packet.src.is_link_local and elsewhere:
            return Drop(Why("ip-link-local"))
        return self._too_big(packet, way)

    def _too_big(self, packet: Ipv4 | Ipv6, way: Way) -> Drop | Blind | None:
        device = self.network.devices.get(self.host.id._replace(name=way.dev))
        mtu = device.mtu if device else None
        if mtu is None or size_of(packet) <= mtu.value:
            return None
        if may_be_cut(packet):
            return Blind("a packet that is sent on in fragments", mtu.refs)
        return Drop(Why("ip-too-big", merge_refs(way.refs, mtu.refs)))

    def _out(self, out: DevId, sent: Passed, way: Way, why: Why) -> Effect:
        """ip_output.c:ip_finish_output2: the frame is the neighbour's, from this device."""
        device = self.network.devices.get(out)
        found = self.neighbour(out, way.nexthop)
        if not isinstance(found, NeighbourEntry):
            return _because(found, why.refs)
        mac = device.mac if device else None
        if mac is None:
            return Blind(f"the MAC of {out.name}, which no listing shows", ())
        frame = replace(sent.frame, dst=found.mac, src=Mac(mac.value))
        skb = replace(sent.skb, physin="", dnatted=False, packet_type=None)
        return Send(out, frame, _with(why, found.refs), skb)

    def neighbour(self, out: DevId, nexthop: Ip) -> NeighbourEntry | Stop:
        """Who ``nexthop`` is on the device ``out``."""
        outside = out not in self.inside
        return resolve(self.network, self.host, self.world, out.name, nexthop, outside=outside)

    def _call(
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
        if self.netfilter is None:
            return Passed(frame, skb)
        family: ChainFamily = "ip" if isinstance(frame.payload, Ipv4) else "ip6"
        seen = Seen(family, hook, frame, skb, indev, outdev, skb.physin, nexthop=nexthop)
        return self.netfilter.call(self.world, seen, priorities=priorities)


def _with(why: Why, refs: tuple[Ref, ...]) -> Why:
    return Why(why.rule, merge_refs(why.refs, refs))


def _because(stop: Stop, refs: tuple[Ref, ...]) -> Stop:
    """A drop that rules led to also cites those."""
    return replace(stop, why=_with(stop.why, refs)) if isinstance(stop, Drop) else stop

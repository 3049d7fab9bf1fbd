"""br_netfilter: bridged packets meet the filters of IP and ARP.

net/bridge/br_netfilter_hooks.c, br_netfilter_ipv6.c (Linux 6.12).
"""

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.bridge.nf_state import NfState
from hopback.datapath.bridge.state import BridgeState, NeighbourEntry, PortConfig
from hopback.datapath.bridge.vlan import Admitted
from hopback.datapath.effects import Ask, Blind, Drop, Why, World
from hopback.datapath.ip.input import route_input
from hopback.datapath.ip.layer import IpLayer
from hopback.datapath.ip.packet import is_invalid, may_be_cut, size_of
from hopback.datapath.ip.route import REFUSED, Way
from hopback.datapath.netfilter.hooks import Netfilter, Stop
from hopback.datapath.netfilter.packet import ChainFamily, Passed, Seen
from hopback.datapath.skb import Skb
from hopback.frames import ethernet
from hopback.frames.arp import Arp
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.network.facts import Ref, merge_refs
from hopback.snapshot.rows import Hook

_PPPOE = 0x8864
_FAMILIES: dict[int, ChainFamily] = {
    ethernet.IPV4: "ip",
    ethernet.IPV6: "ip6",
    ethernet.ARP: "arp",
}


class BridgeNf(Struct, frozen=True):
    """br_netfilter on the bridge ``state``, for one frame.

    ``ip`` is None where addresses or routes were not listed.
    """

    netfilter: Netfilter
    settings: NfState
    state: BridgeState
    world: World
    ip: IpLayer | None = None

    def prerouting(self, port: PortConfig, passed: Passed) -> Passed | Stop:
        """br_nf_pre_routing, and what follows if the packet then is for another address."""
        if passed.frame.ethertype == _PPPOE and self.settings.pppoe:
            return Blind("packets in PPPoE, which br_netfilter filters", ())
        family = self._family(passed.frame)
        if family is None or family == "arp":
            return passed
        on = self.settings.on(self.world, family)
        if isinstance(on, Ask):
            return on
        if not on.value:
            return passed
        packet = passed.frame.payload
        if not isinstance(packet, Ipv4 | Ipv6) or is_invalid(passed.frame):
            return Drop(Why("ip-invalid", on.refs))
        skb = replace(passed.skb, physin=port.id.name)
        outcome = self._call(family, "prerouting", passed.frame, skb, indev=self.state.id.name)
        if not isinstance(outcome, Passed):
            return outcome
        outcome = replace(outcome, refs=merge_refs(passed.refs, outcome.refs))
        changed = outcome.frame.payload
        if not isinstance(changed, Ipv4 | Ipv6) or changed.dst == packet.dst:
            return outcome
        return self._dnatted(outcome, changed, merge_refs(outcome.refs, on.refs))

    def _dnatted(self, passed: Passed, packet: Ipv4 | Ipv6, refs: tuple[Ref, ...]) -> Passed | Stop:
        """br_nf_pre_routing_finish: back to this bridge it stays bridged, else it goes up."""
        if self.ip is None or packet.src.version not in self.ip.host.families:
            return Blind("NAT of a bridged packet, and no listing of the routes", refs)
        bridge = self.state.id.name
        way = route_input(self.ip.host, self.world, packet, passed.skb, bridge)
        if isinstance(way, Drop) and way.why.rule in REFUSED:
            return self._routed(passed, refs)  # where nothing comes of it (ip_error)
        if isinstance(way, Drop):
            return Drop(Why(way.why.rule, merge_refs(refs, way.why.refs)))
        if not isinstance(way, Way):
            return way
        if way.kind != "out" or way.dev != bridge:
            return self._routed(passed, refs + way.refs)
        found = self.ip.neighbour(self.state.id, way.nexthop)
        if not isinstance(found, NeighbourEntry):
            return found
        frame = replace(passed.frame, dst=found.mac)
        skb = replace(passed.skb, dnatted=True)
        return Passed(frame, skb, merge_refs(refs, way.refs, found.refs))

    def _routed(self, passed: Passed, refs: tuple[Ref, ...]) -> Passed | Blind:
        """To the bridge's own address, so that it goes up and is routed or delivered there."""
        if self.state.mac is None:
            return Blind("the bridge's own address, which no listing shows", refs)
        frame = replace(passed.frame, dst=self.state.mac)
        skb = replace(passed.skb, packet_type="host", dnatted=True)
        return Passed(frame, skb, merge_refs(refs))

    def forward(self, source: PortConfig, port: PortConfig, passed: Passed) -> Passed | Stop:
        """br_nf_forward: with the bridge as both devices for IP, with the ports for ARP."""
        frame, skb = passed.frame, passed.skb
        family = self._family(frame)
        if family == "arp":
            on = self.settings.on(self.world, "arp")
            if isinstance(on, Ask) or not on.value or not isinstance(frame.payload, Arp):
                return on if isinstance(on, Ask) else passed
            names = source.id.name, port.id.name
            return self._call("arp", "forward", frame, skb, *names, port=port)
        if family is None or not skb.physin:
            return passed
        bridge = self.state.id.name
        return self._call(family, "forward", frame, skb, bridge, bridge, port=port)

    def postrouting(self, port: PortConfig, passed: Passed) -> Passed | Stop:
        """br_nf_post_routing; then no more is known of it than of any other frame."""
        family = self._family(passed.frame)
        if family not in ("ip", "ip6") or not passed.skb.physin:
            return passed
        bridge = self.state.id.name
        outcome = self._call(
            family, "postrouting", passed.frame, passed.skb, outdev=bridge, port=port
        )
        if not isinstance(outcome, Passed):
            return outcome
        too_big = self._too_big(port, outcome.frame)
        skb = replace(outcome.skb, physin="", dnatted=False)
        return too_big or replace(outcome, skb=skb)

    def refused(self, port: PortConfig, inside: Admitted, drop: Drop) -> Drop | Blind:
        """What a frame that is too big for ``port`` comes to, seen or not by br_netfilter."""
        return (self._too_big(port, inside.frame) if inside.skb.physin else None) or drop

    def _too_big(self, port: PortConfig, frame: Frame) -> Drop | Blind | None:
        """br_nf_dev_queue_xmit cuts what is larger than the port's MTU into fragments."""
        packet = frame.payload
        if port.mtu is None or not isinstance(packet, Ipv4 | Ipv6) or size_of(packet) <= port.mtu:
            return None
        if may_be_cut(packet):
            return Blind("a bridged packet that br_netfilter cuts into fragments", port.why("mtu"))
        return Drop(Why("nf-too-big", port.why("mtu")), port.id)

    def _family(self, frame: Frame) -> ChainFamily | None:
        """What the frame carries, if br_netfilter looks at frames of this form (IS_VLAN_IP …)."""
        if len(frame.tags) > self.settings.vlan_tagged:
            return None
        return _FAMILIES.get(frame.ethertype)

    def _call(
        self,
        family: ChainFamily,
        hook: Hook,
        frame: Frame,
        skb: Skb,
        indev: str = "",
        outdev: str = "",
        port: PortConfig | None = None,
    ) -> Passed | Stop:
        type_ = "host" if skb.packet_type in (None, "otherhost") else skb.packet_type
        packet = frame.payload
        seen = Seen(
            family,
            hook,
            frame,
            skb,
            indev,
            outdev,
            physin=skb.physin,
            physout=port.id.name if port else "",
            packet_type=type_ or "host",
            nexthop=packet.dst if isinstance(packet, Ipv4 | Ipv6) else None,
        )
        outcome = self.netfilter.call(self.world, seen, port.id if port else None)
        on = self.settings.on(self.world, family)
        if isinstance(outcome, Drop) and not isinstance(on, Ask):  # else it would not be called
            why = Why(outcome.why.rule, merge_refs(outcome.why.refs, on.refs))
            return replace(outcome, why=why)
        return outcome

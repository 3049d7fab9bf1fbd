"""Where netfilter calls IPVS (ip_vs_core.c:ip_vs_ops4, ip_vs_ops6; Linux 6.12)."""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import Blind
from hopback.datapath.ip.packet import packet_of
from hopback.datapath.ipvs.answer import answer
from hopback.datapath.ipvs.incoming import request
from hopback.datapath.ipvs.packet import Arrival, Decision, Hook, Layer, arrival, has_parts
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.skb import Skb
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.network.facts import merge_refs

AT_INPUT = 98
"""NF_IP_PRI_NAT_SRC - 2: after the filters, before the NAT of what comes in."""
AT_OUTPUT = -99
"""NF_IP_PRI_NAT_DST + 1: after the NAT of what goes out, before its filters."""

_Look = Callable[[Layer, Arrival], Decision]
_ORDER: dict[Hook, tuple[_Look, ...]] = {
    "input": (answer, request),
    "output": (answer, request),
    "forward": (request, answer),  # there the request is ip_vs_forward_icmp
}


class Ipvs(Struct, frozen=True):
    """IPVS as the IP layer of its namespace calls it."""

    layer: Layer

    def at(self, hook: Hook, frame: Frame, skb: Skb, *, local: bool) -> Decision:
        """What becomes of a packet at the hook; ``local``: it was routed to the host itself."""
        passed = Passed(frame, skb)
        packet = packet_of(frame)
        if packet is not None and has_parts(packet):
            if not self._concerns(packet):
                return passed
            return Blind("fragments are put together before IPVS looks at them", ())
        for look in _ORDER[hook]:
            seen = arrival(passed.frame, passed.skb, hook, local=local)
            if seen is None:
                break
            decision = look(self.layer, seen)
            if not isinstance(decision, Passed):
                return decision
            passed = replace(
                decision,
                refs=merge_refs(passed.refs, decision.refs),
                done=(*passed.done, *decision.done),
            )
        return passed

    def _concerns(self, packet: Ipv4 | Ipv6) -> bool:
        """Whether it is to or from somebody that IPVS knows, or may be of a mark."""
        known = {packet.src, packet.dst}
        return any(
            service.address is None
            or service.address in known
            or any(server.address in known for server in service.servers)
            for service in self.layer.director.services
        )

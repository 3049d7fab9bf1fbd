"""Where netfilter calls IPVS (ip_vs_core.c:ip_vs_ops4, ip_vs_ops6; Linux 6.12)."""

from msgspec import Struct

from hopback.datapath.ipvs.incoming import request
from hopback.datapath.ipvs.packet import Decision, Layer, arrival
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.skb import Skb
from hopback.frames.ethernet import Frame


class Ipvs(Struct, frozen=True):
    """IPVS as the IP layer of its namespace calls it."""

    layer: Layer

    def input(self, frame: Frame, skb: Skb) -> Decision:
        """A packet for the host itself, after the filters of LOCAL_IN."""
        seen = arrival(frame, skb, "input")
        return Passed(frame, skb) if seen is None else request(self.layer, seen)

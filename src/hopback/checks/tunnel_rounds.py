"""Ways of a tunnel's outer packet over other hosts and back into the tunnel."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import Literal, NamedTuple

from hopback.datapath.effects import Place
from hopback.datapath.model import Model
from hopback.datapath.tunnel import depth
from hopback.datapath.tunnel_state import CARRIES_FRAMES, TunnelState
from hopback.engines.trace import Hop, Trace, trace
from hopback.frames import build
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, ZERO, Mac
from hopback.network.facts import DevId, Ref, merge_refs

_PROBE_MAC = Mac(0x0000_5E00_53FE)  # documentation range, RFC 7042
_PROBE = IPv4Address("198.18.0.1"), IPv4Address("198.18.0.2")  # nobody's (RFC 2544)
_PROBE6 = IPv6Address("2001:2::1"), IPv6Address("2001:2::2")
_ENDS: dict[str, Literal["ttl", "size"]] = {
    "ip-ttl": "ttl",
    "ip-too-big": "size",
    "tunnel-too-big": "size",
}


class Round(NamedTuple):
    """``way`` leads from the tunnel to itself; ``ends`` is what ends it in the model."""

    way: tuple[Hop, ...]
    remote: str
    ends: Literal["ttl", "size"] | None
    refs: tuple[Ref, ...]
    assumed: bool

    @property
    def devices(self) -> frozenset[DevId]:
        """The tunnels that wrap the packet."""
        return frozenset(
            before.place.dev
            for before, after in pairwise(self.way)
            if after.why is not None and after.why.rule == "tunnel-wrap"
        )

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts on the way."""
        return tuple(dict.fromkeys(hop.place.dev.host for hop in self.way))


def rounds(model: Model, known: set[DevId]) -> Iterator[Round]:
    """Each way round over several hosts once, but for those of the tunnels ``known``."""
    seen = set(known)
    for dev, tunnel in model.tunnels.by_id.items():
        if dev in seen or tunnel.remote is None or tunnel.up is False or dev[:2] not in model.hosts:
            continue
        journey = trace(model, Place(dev, "out"), _probe(tunnel))[0]
        found = _round(journey, tunnel)
        if found is not None and len({hop.place.dev[:2] for hop in found.way}) > 1:
            seen |= found.devices
            yield found


def _probe(tunnel: TunnelState) -> Frame:
    """Something that the tunnel carries."""
    source, target = _PROBE6 if tunnel.kind == "sit" else _PROBE
    if tunnel.kind in CARRIES_FRAMES:
        return build.echo_request(_PROBE_MAC, BROADCAST, source, target)
    return build.echo_request(ZERO, ZERO, source, target)


def _round(journey: Trace, tunnel: TunnelState) -> Round | None:
    """Where the tunnel is given again what it has wrapped, and not what somebody has opened."""
    origin = journey.hops[0]
    before = depth(origin.frame)
    for number, hop in enumerate(journey.hops):
        if number and hop.place == origin.place and depth(hop.frame) > before:
            way = journey.path(number)
            end = next((e for e in journey.ends if hop in journey.path(e.hop)), None)
            ends = _ENDS.get(end.why.rule) if end else None
            because = end.why.refs if end and ends == "size" else ()
            refs = merge_refs(*(h.why.refs for h in way if h.why), because)
            return Round(way, str(tunnel.remote), ends, refs, bool(journey.world))
    return None

"""Whether a hairpin port gives a broadcast back, past the packet filters at that port."""

from ipaddress import IPv4Address
from types import MappingProxyType

from msgspec.structs import replace

from hopback.checks.case import Case
from hopback.checks.passage import OUTSIDER
from hopback.datapath.effects import Place
from hopback.datapath.model import Model
from hopback.engines.trace import trace
from hopback.frames.build import arp_probe, arp_reply
from hopback.network.facts import DevId, Ref, merge_refs

_TARGET = IPv4Address("192.0.2.1")


def reflected(case: Case, bridge: DevId, port: DevId) -> tuple[bool, tuple[Ref, ...]]:
    """Whether it does, and the rows of filters by which it does not.

    The broadcast is the ARP probe of the port's station, or of anybody if none is known.
    """
    snapshot = case.network.snapshots[port.host]
    tables = (snapshot.filter_chains, snapshot.filters)
    if not any(row.netns == port.netns for table in tables for row in table.rows):
        return True, ()
    mac = next((s.mac for s in case.network.stations if s.port == port), OUTSIDER)
    journey = trace(_alone(case.model, bridge, port), Place(port, "in"), arp_probe(mac, _TARGET))[0]
    if any(hop.place == Place(port, "out") for hop in journey.hops):
        return True, ()
    return False, merge_refs(*(e.why.refs for e in journey.ends if e.fate in ("lost", "blind")))


def lost_to_itself(case: Case, bridge: DevId, port: DevId) -> tuple[Ref, ...]:
    """The rows of filters that also stop what NAT sends back: unicasts with the station's own MAC.

    Bridged DNAT keeps the source (net/bridge/br_netfilter_hooks.c:br_nf_pre_routing_finish_bridge).
    """
    mac = next((s.mac for s in case.network.stations if s.port == port), None)
    if mac is None:
        return ()
    frame = arp_reply(mac, _TARGET, mac, _TARGET)
    journey = trace(_alone(case.model, bridge, port), Place(port, "in"), frame)[0]
    stopped = (e for e in journey.ends if e.fate == "lost" and e.why.rule.startswith("filter-"))
    return merge_refs(*(e.why.refs for e in stopped))


def _alone(model: Model, bridge: DevId, port: DevId) -> Model:
    """What other ports get decides nothing here, and there may be hundreds."""
    state = model.bridges[bridge]
    only = replace(state, ports=MappingProxyType({port: state.ports[port]}))
    return replace(model, bridges=MappingProxyType({**model.bridges, bridge: only}))

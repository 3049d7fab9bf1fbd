"""A request at a director (net/netfilter/ipvs/ip_vs_core.c:ip_vs_in_hook; Linux 6.12)."""

from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Drop, Why
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.ipvs.choose import FTP, FTP_DATA, schedule, service_of
from hopback.datapath.ipvs.connection import begins_anew, continued, may_begin
from hopback.datapath.ipvs.nat import tracked
from hopback.datapath.ipvs.packet import CUT, Arrival, Decision, Layer, Out, Told, ends_of, is_cut
from hopback.datapath.ipvs.related import in_tunnel, is_error, quoted, related_request
from hopback.datapath.ipvs.state import PROTOCOLS, Chosen, Director, Service, spelled
from hopback.datapath.ipvs.transmit import citing, transmit
from hopback.datapath.netfilter.conntrack import inverse
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.skb import Balanced, Ip, Tuple
from hopback.frames.ipv6 import Ipv6
from hopback.network.facts import Ref, merge_refs

_ONE_PACKET = "ops"


def request(layer: Layer, seen: Arrival) -> Decision:
    """What IPVS makes of the packet: on to a server, up the host's own stack, or dropped."""
    idle = _backup_only(layer)
    if isinstance(idle, Ask):
        return idle
    if idle is not None:
        return Passed(seen.frame, seen.skb, idle)
    if is_error(seen.packet):
        return _error(layer, seen)
    if seen.hook == "forward":
        return Passed(seen.frame, seen.skb)
    if seen.packet.protocol not in PROTOCOLS.values():
        return _unbalanced(layer.director, seen)
    at = ends_of(seen.packet)
    if at is None:
        return CUT
    return _balanced(layer, seen, at)


def _backup_only(layer: Layer) -> tuple[Ref, ...] | Ask | None:
    """The rows by which a backup leaves everything alone (sysctl_backup_only).

    The setting says nothing unless a synchronisation thread of a backup is running.
    """
    director = layer.director
    setting = director.settings.get("backup_only")
    if not director.kernel.ipvs_backup_only or (setting is not None and not setting.value):
        return None
    if director.backup is None and (director.daemons or setting is None):
        return None
    refs = merge_refs(director.backup or (), setting.refs if setting else ())
    if director.backup is not None and setting is not None:
        return refs
    text = "does a synchronisation thread of a backup run?"
    if director.backup is not None:
        text = "is net.ipv4.vs.backup_only on?"
    answer = director.asked(layer.world, text, ("no", "yes"), "no")
    if isinstance(answer, Ask):
        return answer
    return refs if answer == "yes" else None


def _unbalanced(director: Director, seen: Arrival) -> Passed:
    """A protocol that IPVS does not balance; perhaps a tunnel, whose inside is not to be asked."""
    ignored = director.setting("ignore_tunneled")
    if not (ignored.value and director.kernel.ipvs_ignore_tunneled):
        return Passed(seen.frame, seen.skb)
    skb = replace(seen.skb, ipvs=True)
    return Passed(seen.frame, skb, ignored.refs)


def _error(layer: Layer, seen: Arrival) -> Decision:
    """An ICMP error, which may be about a connection (ip_vs_in_icmp)."""
    tunnelled = in_tunnel(layer, seen.frame) if seen.local else None
    if tunnelled is not None:
        return tunnelled
    quote = quoted(seen.frame)
    chosen = _concerned(layer, seen, inverse(quote.ends)) if quote else None
    passed = Passed(seen.frame, seen.skb)
    if quote is None or chosen is None:
        return passed
    if not isinstance(chosen, Chosen):
        return chosen
    if seen.hook == "output" and isinstance(seen.packet, Ipv6) and chosen.method != "masq":
        return passed  # ip_vs_in_icmp_v6 lets the host's own go; ip_vs_in_icmp does not
    return related_request(layer, seen, chosen, quote)


def _concerned(layer: Layer, seen: Arrival, at: Tuple) -> Chosen | Drop | Ask | Blind | None:
    """The server of the connection that an error is about, or of one that it begins."""
    director = layer.director
    known = director.connections.get(at)
    if known is not None:
        chosen = continued(director, at, known)
        if isinstance(chosen, Chosen):
            return chosen
        # The kernel does not ask here whether the server is still there.
        return Blind("the method of an IPVS connection, which no listing tells", known.refs)
    scheduled = director.setting("schedule_icmp")
    if not (scheduled.value and director.kernel.ipvs_schedule_icmp):
        return None
    service = service_of(director, layer.world, at, seen.skb.mark)
    if not isinstance(service, Service):
        return service
    begun = schedule(director, layer.world, service, at)
    return begun or Drop(Why("ipvs-no-server", merge_refs(service.refs, scheduled.refs)))


def _balanced(layer: Layer, seen: Arrival, at: Tuple) -> Decision:
    """By the connection that the packet belongs to, or by a new one."""
    known = layer.director.connections.get(at)
    if known is None:
        return _begun(layer, seen, at)
    if begins_anew(layer.director, seen.packet, at, known):
        if tracked(layer.director):
            return Blind("what conntrack makes of a connection that begins anew", known.refs)
        return _begun(layer, seen, at)
    chosen = continued(layer.director, at, known)
    if chosen is None:
        return citing(_begun(layer, seen, at), known.refs)
    if not isinstance(chosen, Chosen):
        return chosen
    return _noted(transmit(layer, seen, chosen), at, chosen)


def _noted(decision: Decision, at: Tuple, chosen: Chosen) -> Decision:
    """The packet with the connection by which its answer will be known."""
    if not isinstance(decision, Passed | Out):
        return decision
    balanced = Balanced(at, chosen.address, chosen.port, chosen.method == "masq")
    return replace(decision, skb=replace(decision.skb, balanced=balanced))


def _begun(layer: Layer, seen: Arrival, at: Tuple) -> Decision:
    """A packet of no connection (ip_vs_try_to_schedule, tcp_conn_schedule)."""
    passed = Passed(seen.frame, seen.skb)
    if is_cut(seen.packet):
        return CUT
    service = service_of(layer.director, layer.world, at, seen.skb.mark)
    if service is None or at.source_port == FTP_DATA:
        return passed
    if isinstance(service, Ask | Blind):
        return service
    if not may_begin(layer.director, seen.packet):
        known = _has_begun(layer, service, at)
        if known != "yes":
            return known if isinstance(known, Ask) else passed
    chosen = schedule(layer.director, layer.world, service, at)
    if chosen is None:
        return _left(layer, seen, service, at)
    if not isinstance(chosen, Chosen):
        return chosen
    decision = transmit(layer, seen, chosen)
    is_one = _ONE_PACKET in service.flags and at.protocol == PROTOCOLS["udp"]
    return decision if is_one else _noted(decision, at, chosen)


def _has_begun(layer: Layer, service: Service, at: Tuple) -> str | Ask:
    """Whether a connection has begun already; no listing shows it."""
    if layer.director.followed:
        return "no"
    client = spelled(at.source, at.source_port)
    text = f"has IPVS a connection of {client} to {service}?"
    return layer.director.asked(layer.world, text, ("yes", "no"), "yes")


def _left(layer: Layer, seen: Arrival, service: Service, at: Tuple) -> Decision:
    """ip_vs_leave: no server is left for what begins."""
    bypass = layer.director.setting("cache_bypass")
    refs = merge_refs(service.refs, *(server.refs for server in service.servers))
    if bypass.value and service.address is None and _is_elsewhere(layer, at.target):
        refs = merge_refs(bypass.refs, refs)
        return transmit(layer, seen, Chosen(at.target, at.target_port, "bypass", refs=refs))
    if service.port == FTP != at.target_port:
        return Passed(seen.frame, seen.skb)
    return Told("port", seen.frame, Why("ipvs-no-server", refs))


def _is_elsewhere(layer: Layer, target: Ip) -> bool:
    """ip_vs_addr_is_unicast: for IPv6 an address of the host itself is as good."""
    if target.version == 6:
        return not target.is_multicast
    way = lookup(layer.host, layer.world, Key(target))
    return not isinstance(way, Way) or way.kind == "out"

"""A request at a director (net/netfilter/ipvs/ip_vs_core.c:ip_vs_in_hook; Linux 6.12)."""

from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Drop, Why
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.ipvs.choose import FTP, FTP_DATA, schedule, service_of
from hopback.datapath.ipvs.connection import continued, server_of
from hopback.datapath.ipvs.packet import Arrival, Decision, Layer, Out, Told, ends_of
from hopback.datapath.ipvs.related import in_tunnel, is_error, quoted, related_request
from hopback.datapath.ipvs.state import PROTOCOLS, Chosen, Director, Known, Service
from hopback.datapath.ipvs.transmit import citing, transmit
from hopback.datapath.netfilter.conntrack import inverse
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.skb import Balanced, Ip, Tuple
from hopback.frames.tcp import RST, SYN, Tcp
from hopback.network.facts import Ref, merge_refs

_OVER = frozenset({"TIME_WAIT", "CLOSE"})
_CLOSING = "FIN_WAIT"
_ONE_PACKET = "ops"
_SCTP_HEADER, _INIT, _ABORT = 12, 1, 6


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
        return Drop(Why("ipvs-no-ports"))
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
    return Passed(seen.frame, skb, ignored.refs, (Why("ipvs-ignore-tunneled", ignored.refs),))


def _error(layer: Layer, seen: Arrival) -> Decision:
    """An ICMP error, which may be about a connection (ip_vs_in_icmp)."""
    director = layer.director
    tunnelled = in_tunnel(layer, seen.frame) if seen.local else None
    if tunnelled is not None:
        return tunnelled
    passed, quote = Passed(seen.frame, seen.skb), quoted(seen.frame)
    if quote is None:
        return passed
    at = inverse(quote.ends)
    known = director.connections.get(at)
    if known is not None:
        chosen = continued(layer, at, known, seen.skb.mark)
    else:
        scheduled = director.setting("schedule_icmp")
        if not (scheduled.value and director.kernel.ipvs_schedule_icmp):
            return passed
        service = service_of(director, layer.world, at, seen.skb.mark)
        if service is None or isinstance(service, Ask | Blind):
            return passed if service is None else service
        chosen = schedule(director, layer.world, service, at)
        chosen = chosen or Drop(Why("ipvs-no-server", merge_refs(service.refs, scheduled.refs)))
    if chosen is None:
        return passed
    if not isinstance(chosen, Chosen):
        return chosen
    return related_request(layer, seen, chosen, quote)


def _balanced(layer: Layer, seen: Arrival, at: Tuple) -> Decision:
    """By the connection that the packet belongs to, or by a new one."""
    known = layer.director.connections.get(at)
    if known is None or _begins_anew(layer, seen, at, known):
        return _begun(layer, seen, at)
    chosen = continued(layer, at, known, seen.skb.mark)
    if chosen is None:
        return citing(_begun(layer, seen, at), known.refs)
    return (
        _noted(transmit(layer, seen, chosen), at, chosen) if isinstance(chosen, Chosen) else chosen
    )


def _noted(decision: Decision, at: Tuple, chosen: Chosen) -> Decision:
    """The packet with the connection by which its answer will be known."""
    if not isinstance(decision, Passed | Out):
        return decision
    balanced = Balanced(at, chosen.address, chosen.port)
    return replace(decision, skb=replace(decision.skb, balanced=balanced))


def _begins_anew(layer: Layer, seen: Arrival, at: Tuple, known: Known) -> bool:
    """Whether a SYN takes the place of its connection: of one that is over, or whose server is
    about to go (is_new_conn_expected). What persistence has made stays.
    """
    segment, director = seen.packet.payload, layer.director
    service = service_of(director, layer.world, at, seen.skb.mark)
    is_first = (isinstance(segment, Tcp) and bool(segment.flags & SYN)) or _chunk(seen) == _INIT
    if not is_first or not isinstance(service, Service):
        return False
    server = server_of(service, known)
    weightless = server is not None and server.weight == 0
    if weightless and director.setting("expire_nodest_conn").value:
        return director.kernel.ipvs_leaves_weightless
    mode = director.setting("conn_reuse_mode", 1).value
    if not mode or not director.kernel.ipvs_conn_reuse or service.client is not None:
        return False
    answers = server is not None and server.method == "masq"
    return known.state in _OVER or bool(mode & 2 and known.state == _CLOSING and not answers)


def _begun(layer: Layer, seen: Arrival, at: Tuple) -> Decision:
    """A packet of no connection (ip_vs_try_to_schedule, tcp_conn_schedule)."""
    passed = Passed(seen.frame, seen.skb)
    if not _may_begin(layer.director, seen):
        return passed
    service = service_of(layer.director, layer.world, at, seen.skb.mark)
    if service is None or at.source_port == FTP_DATA:
        return passed
    if isinstance(service, Ask | Blind):
        return service
    chosen = schedule(layer.director, layer.world, service, at)
    if chosen is None:
        return _left(layer, seen, service, at)
    if not isinstance(chosen, Chosen):
        return chosen
    decision = transmit(layer, seen, chosen)
    is_one = _ONE_PACKET in service.flags and at.protocol == PROTOCOLS["udp"]
    return decision if is_one else _noted(decision, at, chosen)


def _may_begin(director: Director, seen: Arrival) -> bool:
    """Whether it is the first packet of a connection, or any will do (sloppy_tcp, sloppy_sctp)."""
    segment = seen.packet.payload
    if isinstance(segment, Tcp):
        sloppy = director.setting("sloppy_tcp").value
        return not segment.flags & RST and bool(segment.flags & SYN or sloppy)
    chunk = _chunk(seen)
    if chunk is None:
        return True
    return chunk == _INIT or (chunk != _ABORT and bool(director.setting("sloppy_sctp").value))


def _chunk(seen: Arrival) -> int | None:
    """The type of the first chunk of SCTP."""
    if seen.packet.protocol != PROTOCOLS["sctp"]:
        return None
    raw: bytes = getattr(seen.packet.payload, "raw", b"")
    return raw[_SCTP_HEADER] if len(raw) > _SCTP_HEADER else None


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

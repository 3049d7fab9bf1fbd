"""A request at a director (net/netfilter/ipvs/ip_vs_core.c:ip_vs_in_hook; Linux 6.12)."""

from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Drop, Why
from hopback.datapath.ipvs.choose import FTP, FTP_DATA, schedule, service_of
from hopback.datapath.ipvs.packet import Arrival, Decision, Layer, Told, ends_of
from hopback.datapath.ipvs.state import Chosen, Director, Known, Server, Service
from hopback.datapath.ipvs.transmit import citing, transmit
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.skb import Tuple
from hopback.frames.tcp import RST, SYN, Tcp
from hopback.network.facts import Ref, merge_refs

_REUSED = frozenset({"TIME_WAIT", "CLOSE"})


def request(ipvs: Layer, seen: Arrival) -> Decision:
    """What IPVS makes of the packet: on to a server, up the host's own stack, or dropped."""
    passed = Passed(seen.frame, seen.skb)
    idle = _backup_only(ipvs)
    if idle is not None:
        return replace(passed, refs=idle) if isinstance(idle, tuple) else idle
    at = ends_of(seen.packet)
    if at is None:
        return _unbalanced(ipvs.director, seen)
    known = ipvs.director.connections.get(at)
    if known is not None and not _begins_anew(ipvs.director, seen, known):
        return _continued(ipvs, seen, at, known)
    return _begun(ipvs, seen, at)


def _backup_only(ipvs: Layer) -> tuple[Ref, ...] | Ask | None:
    """The rows by which a backup leaves everything alone (sysctl_backup_only).

    The setting says nothing unless a synchronisation thread of a backup is running.
    """
    director = ipvs.director
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
    answer = director.asked(ipvs.world, text, ("no", "yes"), "no")
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


def _begins_anew(director: Director, seen: Arrival, known: Known) -> bool:
    """Whether a SYN takes the place of a connection that is over (is_new_conn_expected)."""
    segment = seen.packet.payload
    if not isinstance(segment, Tcp) or not segment.flags & SYN:
        return False
    mode = director.setting("conn_reuse_mode", 1).value
    return bool(mode) and director.kernel.ipvs_conn_reuse and known.state in _REUSED


def _continued(ipvs: Layer, seen: Arrival, at: Tuple, known: Known) -> Decision:
    """A packet of a connection goes where the first one went."""
    director = ipvs.director
    service = service_of(director, ipvs.world, at, seen.skb.mark)
    if isinstance(service, Ask | Blind):
        return service
    server = _server(service, known) if service else None
    if server is not None:
        refs = merge_refs(known.refs, server.refs)
        return transmit(ipvs, seen, Chosen(known.server, known.port, server.method, server, refs))
    if service is None or not service.complete:
        return Blind("the method of an IPVS connection whose server is not listed", known.refs)
    expires = director.setting("expire_nodest_conn")
    if expires.value:
        return citing(_begun(ipvs, seen, at), merge_refs(known.refs, expires.refs))
    return Drop(Why("ipvs-server-gone", merge_refs(known.refs, service.refs, expires.refs)))


def _server(service: Service, known: Known) -> Server | None:
    """The server of a connection (ip_vs_find_dest); a service of all ports has it with none."""
    return next(
        (s for s in service.servers if s.address == known.server and s.port in (known.port, 0)),
        None,
    )


def _begun(ipvs: Layer, seen: Arrival, at: Tuple) -> Decision:
    """A packet of no connection (ip_vs_try_to_schedule, tcp_conn_schedule)."""
    passed = Passed(seen.frame, seen.skb)
    if not _may_begin(ipvs.director, seen):
        return passed
    service = service_of(ipvs.director, ipvs.world, at, seen.skb.mark)
    if service is None or at.source_port == FTP_DATA:
        return passed
    if isinstance(service, Ask | Blind):
        return service
    chosen = schedule(ipvs.director, ipvs.world, service, at)
    if chosen is None:
        return _left(ipvs, seen, service, at)
    return transmit(ipvs, seen, chosen) if isinstance(chosen, Chosen) else chosen


def _may_begin(director: Director, seen: Arrival) -> bool:
    segment = seen.packet.payload
    if not isinstance(segment, Tcp):
        return True
    sloppy = director.setting("sloppy_tcp").value
    return not segment.flags & RST and bool(segment.flags & SYN or sloppy)


def _left(ipvs: Layer, seen: Arrival, service: Service, at: Tuple) -> Decision:
    """ip_vs_leave: no server is left for what begins."""
    bypass = ipvs.director.setting("cache_bypass")
    refs = merge_refs(service.refs, *(server.refs for server in service.servers))
    if bypass.value and service.address is None and at.target not in ipvs.host.addresses:
        refs = merge_refs(bypass.refs, refs)
        return transmit(ipvs, seen, Chosen(at.target, at.target_port, "bypass", refs=refs))
    if service.port == FTP != at.target_port:
        return Passed(seen.frame, seen.skb)
    return Told("port", seen.frame, Why("ipvs-no-server", refs))

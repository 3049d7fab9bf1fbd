"""Which service a packet is for, and which of its servers gets it.

net/netfilter/ipvs/ip_vs_ctl.c:ip_vs_service_find, ip_vs_core.c:ip_vs_schedule; Linux 6.12.

What a scheduler picks depends on what it has done before, so every server that it may pick is an
answer to a question. The question is about the client's connection: it is asked once.
"""

from hopback.datapath.effects import Ask, Blind, Question, World
from hopback.datapath.ipvs.state import (
    PROTOCOLS,
    Chosen,
    Director,
    Known,
    Server,
    Service,
    Template,
    Virtual,
)
from hopback.datapath.skb import Tuple

FTP, FTP_DATA = 21, 20
_FIRST_UNPRIVILEGED = 1024
_HEAVIEST = frozenset({"fo", "ovf"})
_TCP = PROTOCOLS["tcp"]
_NOBODY = "none of them"
_WHICH = "which server does IPVS choose for"
_HASHES = frozenset({"sh", "dh", "mh"})
_FALLBACKS = frozenset({"sh-fallback", "mh-fallback", "flag-1"})


def service_of(
    director: Director, world: World, at: Tuple, mark: int
) -> Service | Ask | Blind | None:
    """The service of a packet: its mark's first, then that of address and port, then all ports."""
    found = _by_mark(director, at, mark) or by_address(director, at)
    if found is not None or director.complete:
        return found
    text = (
        f"does IPVS have a service for {at.target} port {at.target_port}, which the listing lacks?"
    )
    answer = director.asked(world, text, ("no", "yes"), "no")
    if isinstance(answer, Ask):
        return answer
    return Blind("an IPVS service that the listing lacks", ()) if answer == "yes" else None


def _by_mark(director: Director, at: Tuple, mark: int) -> Service | None:
    """__ip_vs_svc_fwm_find: 0 is no mark."""
    return director.by_virtual.get(Virtual(0, at.target.version, mark)) if mark else None


def by_address(director: Director, at: Tuple) -> Service | None:
    """The service of an address and port, of passive FTP's data, or of all ports."""
    ports = [at.target_port]
    if at.protocol == _TCP and (at.target_port == FTP or at.target_port >= _FIRST_UNPRIVILEGED):
        ports.append(FTP)
    for port in (*ports, 0):
        virtual = Virtual(at.protocol, at.target.version, at.target, port)
        if (found := director.by_virtual.get(virtual)) is not None:
            return found
    return None


def schedule(
    director: Director, world: World, service: Service, at: Tuple
) -> Chosen | Ask | Blind | None:
    """The server for what begins (ip_vs_schedule); None if none is left for it."""
    if service.client is not None:
        return _persistent(director, world, service, at)
    if service.address is not None and at.target_port != service.port:
        return None
    server = _pick(director, world, service, f"{at.source} port {at.source_port}")
    return _to(service, server, at) if isinstance(server, Server) else server


def is_choice(question: Question) -> bool:
    """Whether it asks what a scheduler picks: any answer comes true, for one client or another."""
    return question.text.startswith(_WHICH)


def _to(service: Service, server: Server, at: Tuple) -> Chosen:
    return Chosen(
        server.address,
        server.port or at.target_port,
        server.method,
        server,
        service.refs + server.refs,
    )


def _persistent(
    director: Director, world: World, service: Service, at: Tuple
) -> Chosen | Ask | Blind | None:
    """ip_vs_sched_persist: whoever came before goes where it went then."""
    template = director.templates.get(template_of(service, at))
    server = _remembered(director, service, template) if template else None
    if server is None:
        chosen = _pick(director, world, service, str(service.of(at.source)))
        if not isinstance(chosen, Server):
            return chosen
        server, template = chosen, None
    port = server.port if at.target_port == service.port and server.port else at.target_port
    refs = service.refs + server.refs + (template.refs if template else ())
    return Chosen(server.address, port, server.method, server, refs)


def template_of(service: Service, at: Tuple) -> Template:
    """What a persistent service remembers the client of a packet by."""
    client = service.of(at.source).network_address
    if service.address is None:
        number = service.mark
        dotted = ".".join(str(number >> shift & 0xFF) for shift in (24, 16, 8, 0))
        return Template(0, client, dotted, 0)
    port = at.target_port if at.target_port == service.port != FTP else 0
    return Template(at.protocol, client, str(at.target), port)


def _remembered(director: Director, service: Service, template: Known) -> Server | None:
    """The template's server, if it may be used still (ip_vs_check_template)."""
    same = [s for s in service.servers if s.address == template.server]
    server = next((s for s in same if template.port in (0, s.port)), None)
    if server is None:
        return None
    expires = director.setting("expire_quiescent_template").value
    return None if expires and server.weight == 0 else server


def _pick(
    director: Director, world: World, service: Service, client: str
) -> Server | Ask | Blind | None:
    """One of the servers that the scheduler may choose."""
    able = eligible(service)
    names = [str(server) for server in able]
    if not service.complete and not able:
        return Blind("the servers of an IPVS service, which no listing shows", service.refs)
    if not service.complete:
        names.append("another, which the listing lacks")
    elif _may_miss(service):
        names.append(_NOBODY)
    if not names:
        return None
    if len(names) == 1 and able:
        return able[0]
    text = f"{_WHICH} {client}, service {service}?"
    answer = director.asked(world, text, tuple(names), names[0])
    if isinstance(answer, Ask):
        return answer
    chosen = next((server for server in able if str(server) == answer), None)
    if chosen is not None or answer == _NOBODY:
        return chosen
    return Blind("an IPVS server that the listing lacks", service.refs)


def _may_miss(service: Service) -> bool:
    """Whether a hash may lead to a server that gets nothing new, and nobody takes its place.

    ip_vs_sh.c:ip_vs_sh_get, ip_vs_dh.c, ip_vs_mh.c: in the last a server without weight has no
    bucket.
    """
    if service.scheduler not in _HASHES or service.flags & _FALLBACKS:
        return False
    full = any(_is_full(server) for server in service.servers)
    weightless = any(server.weight == 0 for server in service.servers)
    return full or (weightless and service.scheduler != "mh")


def eligible(service: Service) -> tuple[Server, ...]:
    """The servers that may get something new: with weight, and not overloaded."""
    able = tuple(s for s in service.servers if s.weight != 0 and not _is_full(s))
    if service.scheduler == "ovf":  # ip_vs_ovf.c: of those that have no more than their weight
        able = tuple(s for s in able if (s.active or 0) <= (s.weight or 1))
    sure = service.scheduler == "fo" or all(server.active is not None for server in able)
    if service.scheduler in _HEAVIEST and sure and able:
        # Of equals the kernel takes the one that was added last, and no listing tells which.
        most = max(server.weight or 0 for server in able)
        return tuple(server for server in able if (server.weight or 0) == most)
    return able


def _is_full(server: Server) -> bool:
    """IP_VS_DEST_F_OVERLOAD (ip_vs_dest_totalconns has reached the upper threshold)."""
    if not server.upper or server.active is None or server.inactive is None:
        return False
    return server.active + server.inactive >= server.upper

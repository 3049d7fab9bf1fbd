"""clear_service: the service is taken out of the table of the director that hands packets back.

The first thing to do while it goes round. What is sent to that director is then its own: as a real
server it answers. Connections that IPVS has stay in their table, but their packets are dropped
while the server is gone (net/netfilter/ipvs/ip_vs_core.c:ip_vs_in_hook, IP_VS_DEST_F_AVAILABLE).
"""

from collections.abc import Iterator

from hopback.checks.words import named
from hopback.findings import Fix, Persistence
from hopback.frames.mac import format_mac
from hopback.remedies.ipvs_ring import (
    Directed,
    add_service,
    forgotten,
    inside,
    service_words,
    without,
)
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Edit

NAME = "clear_service"


def plan(ring: Directed) -> Fix | None:
    """The service's removal; the undo enters it again with all its servers."""
    service = ring.back.service
    tool = f"{inside(ring.where)}ipvsadm"
    return Fix(
        name=NAME,
        host=ring.where.host,
        commands=(f"{tool} -D {service_words(service.row)}",),
        undo=tuple(f"{tool} {words}" for words in add_service(service)),
        safe=False,  # as master it would no longer balance
        limits=_limits(ring),
        blast_radius=f"{service.title} on {named(ring.where.host)}, which balances it no more",
        persistence=tuple(_lasting(ring)),
    )


def edits(snapshot: Snapshot, ring: Directed) -> tuple[Edit, ...]:
    """The tables without it."""
    return tuple(without(snapshot, ring.back.service))


def _limits(ring: Directed) -> str:
    macs = ", ".join(format_mac(mac) for mac in ring.peers()[:2])
    port = f"the switch port that has {macs}" if macs else "a switch port of one of them"
    return (
        f"a host that no longer answers: shut {port} from a third machine, and what goes round ends"
        " with the link. keepalived enters the service again when it starts or reloads."
        f"{forgotten(ring.back.service)}"
    )


def _lasting(ring: Directed) -> Iterator[Persistence]:
    tool = f"{inside(ring.where)}ipvsadm"
    service = ring.back.service
    first, *servers = add_service(service)
    yield Persistence(
        "keepalived (/etc/keepalived/keepalived.conf, in the vrrp_instance of the address)",
        (
            f'notify_backup "{tool} -D {service_words(service.row)}"',
            "# notify_master: a script that enters it again:",
            *(f"#   {tool} {words}" for words in (first, *servers)),
        ),
    )

"""mark_guard: a director balances by a mark, and does not mark what another director sends it.

One rule spares all the other directors at once: of several, each of which spares one, another marks
the frame after all. What is not marked is for no service and goes up the director's own stack.
"""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Literal

from msgspec.structs import replace

from hopback.checks.directors import Service
from hopback.checks.words import named
from hopback.findings import Fix, FixFile
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
from hopback.snapshot.patch import Add, Edit
from hopback.snapshot.rows import Field, FilterChain, FilterRule, Mangle, Match
from hopback.snapshot.table import Cite

NAME = "mark_guard"
_FIRST_MARK = 100
_MANGLE = -150  # NF_IP_PRI_MANGLE


def plan(ring: Directed) -> Fix | None:
    """The rule, and the service by its mark. None for one by mark already, or no peer's MAC."""
    service = ring.back.service
    if service.row.protocol == "fwmark" or not ring.peers():
        return None
    tool, nft = f"{inside(ring.where)}ipvsadm", f"{inside(ring.where)}nft"
    file = _file(ring)
    by_mark = _by_mark(ring)
    words = tuple(add_service(by_mark))
    return Fix(
        name=NAME,
        host=ring.where.host,
        commands=(
            f"{nft} -f {file.path}",
            *(f"{tool} {word}" for word in words),
            f"{tool} -D {service_words(service.row)}",
        ),
        undo=(
            *(f"{tool} {word}" for word in add_service(service)),
            f"{tool} -D {service_words(by_mark.row)}",
            f"{nft} delete table {_family(ring)} {_table(ring)}",
        ),
        limits="A director that gets another network card needs another rule." + forgotten(service),
        blast_radius=f"{service.title} on {named(ring.where.host)}",
        files=(file,),
    )


def edits(snapshot: Snapshot, ring: Directed) -> tuple[Edit, ...]:
    """The table of marks, and the service by mark instead of by address."""
    here, new = Cite(len(snapshot.sources), 1), _by_mark(ring)
    chain = FilterChain(
        cite=here,
        netns=ring.where.netns,
        family=_family(ring),
        table=_table(ring),
        name="prerouting",
        hook="prerouting",
        priority=_MANGLE,
        policy="accept",
    )
    rule = FilterRule(
        cite=here,
        netns=ring.where.netns,
        family=_family(ring),
        table=_table(ring),
        chain="prerouting",
        place=1,
        steps=(
            Match((Field("ether saddr"),), tuple((mac,) for mac in ring.peers()), "!="),
            *_matches(ring),
            Mangle("meta mark", new.row.mark),
        ),
        text=_rule(ring),
    )
    servers = (Add(replace(server.row, cite=here)) for server in new.servers)
    return (
        *without(snapshot, ring.back.service),
        Add(replace(new.row, cite=here)),
        *servers,
        Add(chain),
        Add(rule),
    )


def _by_mark(ring: Directed) -> Service:
    """The same service and servers, chosen by a mark that nobody uses yet."""
    service = ring.back.service
    rows = ring.network.snapshots[ring.where.host].ipvs_services.rows
    used = {row.mark for row in rows}
    mark = next(n for n in range(_FIRST_MARK, _FIRST_MARK + len(used) + 1) if n not in used)
    row = replace(service.row, protocol="fwmark", address="", port=0, mark=mark)
    servers = (
        s._replace(row=replace(s.row, protocol="fwmark", address="", port=0, mark=mark))
        for s in service.servers
    )
    return service._replace(row=row, servers=tuple(servers))


def _family(ring: Directed) -> Literal["ip", "ip6"]:
    return "ip6" if ring.back.service.key[1] == 6 else "ip"


def _table(ring: Directed) -> str:
    return f"hopback-mark-{_by_mark(ring).row.mark}"


def _matches(ring: Directed) -> Iterator[Match]:
    """What the service takes."""
    protocol, family, address, port, _ = ring.back.service.key
    field = "ip6 daddr" if family == 6 else "ip daddr"
    yield Match((Field(field),), ((int(ip_address(address)),),))
    number = {"tcp": 6, "udp": 17, "sctp": 132}[protocol]
    yield Match((Field("meta l4proto"),), ((number,),))
    if port:
        yield Match((Field("th dport"),), ((port,),))


def _rule(ring: Directed) -> str:
    """The rule, as nft(8) spells it."""
    protocol, _, address, port, _ = ring.back.service.key
    macs = ", ".join(map(format_mac, ring.peers()))
    to = f"{protocol} dport {port}" if port else f"meta l4proto {protocol}"
    mark = _by_mark(ring).row.mark
    return f"ether saddr != {{ {macs} }} {_family(ring)} daddr {address} {to} meta mark set {mark}"


def _file(ring: Directed) -> FixFile:
    """A file for ``nft -f``: it may be loaded again, and changes nothing then."""
    name = f"{_family(ring)} {_table(ring)}"
    content = (
        f"table {name}\n"
        f"delete table {name}\n"
        f"table {name} {{\n"
        "  chain prerouting {\n"
        f"    type filter hook prerouting priority {_MANGLE}; policy accept;\n"
        f"    {_rule(ring)}\n"
        "  }\n"
        "}\n"
    )
    return FixFile(f"/etc/hopback/{_table(ring)}.nft", content)

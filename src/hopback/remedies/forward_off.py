"""forward_off: a backup that neither routes nor masquerades need not forward.

A backup without the virtual address routes what the master hands it back to the master
(net/ipv4/ip_forward.c), as it would any other packet.
"""

from collections.abc import Iterator

from hopback.checks.directors import subnets_of
from hopback.checks.words import joined, named
from hopback.findings import Fix, Persistence
from hopback.network.facts import DevId
from hopback.remedies.ipvs_ring import Directed, inside, sysctl
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Edit

NAME = "forward_off"
_KEYS = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
_REDIRECTS = "net.ipv4.conf.all.accept_redirects"


def plan(ring: Directed) -> Fix | None:
    """The setting where the packet is plainly routed on; None where nobody does."""
    where = router(ring)
    if where is None:
        return None
    key = _KEYS[ring.back.service.key[1]]
    tool = f"{inside(where)}sysctl -w"
    there = named(where.host)
    return Fix(
        name=NAME,
        host=where.host,
        commands=(f"{tool} {key}=0",),
        undo=(f"{tool} {key}=1", *(f"{tool} {word}" for word in _recorded(ring, where))),
        limits=(
            f"What is sent to {there} while it has no such address is dropped there. As a real"
            " server it needs the address on lo."
        ),
        blast_radius=f"all that {there} forwards",
        persistence=(Persistence("sysctl (/etc/sysctl.d/60-ipvs.conf)", (f"{key} = 0",)),),
    )


def _recorded(ring: Directed, where: DevId) -> Iterator[str]:
    """What forwarding sets along with it (devinet.c:inet_forward_change), as it was."""
    version = ring.back.service.key[1]
    for row in ring.network.snapshots[where.host].sysctls.rows:
        forwards = row.key.startswith(f"net.ipv{version}.conf.") and row.key.endswith(".forwarding")
        if row.netns != where.netns:
            continue
        if (forwards and row.value == "0") or (version == 4 and row.key == _REDIRECTS):
            yield f"{row.key}={row.value}"


def router(ring: Directed) -> DevId | None:
    """The namespace that routes the packet on its way round."""
    hops = ring.cycle.hops if ring.cycle else ()
    sent = (hop.place.dev for hop in hops if hop.why and hop.why.rule == "ip-forward")
    return next((dev._replace(name="") for dev in sent), None)


def edits(snapshot: Snapshot, ring: Directed) -> tuple[Edit, ...]:
    """The settings of all devices follow it (devinet.c:inet_forward_change)."""
    where = router(ring)
    if where is None:
        return ()
    version = ring.back.service.key[1]
    family = f"net.ipv{version}.conf."
    rows = [r for r in snapshot.sysctls.rows if r.netns == where.netns]
    keys = [r.key for r in rows if r.key.startswith(family) and r.key.endswith(".forwarding")]
    keys = list(dict.fromkeys((_KEYS[version], *keys)))
    return tuple(edit for key in keys for edit in sysctl(snapshot, where.netns, key, 0))


def needed(ring: Directed) -> str | None:
    """What the host forwards besides."""
    where = router(ring)
    if where is None:
        return None
    snapshot, there = ring.network.snapshots[where.host], named(where.host)
    if any(r.netns == where.netns and r.method == "masq" for r in snapshot.ipvs_servers.rows):
        return f"{there} masquerades for other servers, and forwards their answers"
    subnets = subnets_of(ring.network, where, ring.back.service.key[1])
    if len({subnet.network for subnet in subnets.values()}) > 1:
        return f"{there} routes between {joined(subnets)}"
    return None

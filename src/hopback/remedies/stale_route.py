"""stale_route: the route that sends a prefix into a ring is taken away.

Right where it was forgotten: the host that it leads to no longer has anything of the prefix. A
routing daemon puts back what it still learns.
"""

from hopback.checks.ring_routes import Ring
from hopback.findings import Fix
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Edit, Remove

NAME = "stale_route"


def plan(ring: Ring) -> Fix | None:
    """The route of the most special prefix, if it has one next hop; else several are at stake."""
    first = ring.turns[0]
    route = first.route
    if len(route.hops) != 1 or not first.is_for(ring.prefixes):
        return None
    ip = f"ip -n {first.dev.netns}" if first.dev.netns else "ip"
    hop = route.hops[0]
    told: dict[str, object] = {
        "via": hop.via,
        "dev": hop.dev,
        "proto": route.protocol,
        "src": route.source,
    }
    told |= {"metric": route.metric, "table": None if route.table == "main" else route.table}
    words = (f" {name} {value}" for name, value in told.items() if value is not None)
    text = route.destination + "".join(words) + " onlink" * route.onlink
    daemon = f" ({route.protocol})" if route.protocol else ""
    return Fix(
        name=NAME,
        host=first.dev.host,
        commands=(f"{ip} route del {text}",),
        undo=(f"{ip} route add {text}",),
        safe=False,  # who else uses it is in no table
        limits=f"What entered the route{daemon} may do so again, and so does a reboot.",
        blast_radius=f"all that {first.title} sends to {route.destination}",
    )


def edits(snapshot: Snapshot, ring: Ring) -> tuple[Edit, ...]:
    """The table without the route."""
    return (Remove(ring.turns[0].route),)

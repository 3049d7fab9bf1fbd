"""blackhole_route: a host that is sent a whole prefix drops what it has no route for.

Without, its default route sends that part back to whoever sent it. A route to a blackhole
(net/ipv4/fib_semantics.c:fib_props, RTN_BLACKHOLE) is one for all of the prefix: longer ones are
still found before it.
"""

from collections.abc import Iterator

from hopback.checks.ring_routes import Ring, Turn
from hopback.findings import Fix, Persistence
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Add, Edit
from hopback.snapshot.rows import Route
from hopback.snapshot.table import Cite

NAME = "blackhole_route"


def plan(ring: Ring) -> Fix | None:
    """The routes for the one that sends back; None if it has one of the same length already."""
    back = ring.sent_back_by
    if back.is_for(ring.prefixes):
        return None
    ip = f"ip -n {back.dev.netns}" if back.dev.netns else "ip"
    words = [f"blackhole {prefix}{_table(back)}" for prefix in ring.prefixes]
    prefixes = ", ".join(map(str, ring.prefixes))
    return Fix(
        name=NAME,
        host=back.dev.host,
        commands=tuple(f"{ip} route add {word}" for word in words),
        undo=tuple(f"{ip} route del {word}" for word in words),
        limits=(
            "Whoever asks for an unused address hears nothing; unreachable instead of blackhole"
            " tells them."
        ),
        blast_radius=f"what {back.title} routes to {prefixes} by no longer prefix",
        persistence=tuple(_lasting(ring)),
    )


def edits(snapshot: Snapshot, ring: Ring) -> tuple[Edit, ...]:
    """The routes, as ``ip route show`` would list them then."""
    back = ring.sent_back_by
    return tuple(
        Add(
            Route(
                cite=Cite(len(snapshot.sources), 1),
                netns=back.dev.netns,
                destination=str(prefix),
                family=back.route.family,
                kind="blackhole",
                table=back.route.table,
            )
        )
        for prefix in ring.prefixes
    )


def _table(turn: Turn) -> str:
    return "" if turn.route.table == "main" else f" table {turn.route.table}"


def _lasting(ring: Ring) -> Iterator[Persistence]:
    """One for each program that may set up the host's network: nothing tells which does."""
    back = ring.sent_back_by
    if back.dev.netns:
        return
    dev, table = back.dev.name, back.route.table
    other = table != "main"
    yield Persistence(
        f"systemd-networkd (/etc/systemd/network/{dev}.network)",
        tuple(
            line
            for prefix in ring.prefixes
            for line in (
                "[Route]",
                f"Destination={prefix}",
                "Type=blackhole",
                *((f"Table={table}",) if other else ()),
            )
        ),
    )
    yield Persistence(
        f"netplan (/etc/netplan/*.yaml, under {dev})",
        (
            "routes:",
            *(
                f"- {{to: {prefix}, type: blackhole{f', table: {table}' if other else ''}}}"
                for prefix in ring.prefixes
            ),
        ),
    )
    yield Persistence(
        f"ifupdown (/etc/network/interfaces, under {dev})",
        tuple(f"up ip route replace blackhole {prefix}{_table(back)}" for prefix in ring.prefixes),
    )
    yield Persistence(
        "FRR (/etc/frr/frr.conf)",
        tuple(
            f"{'ipv6' if prefix.version == 6 else 'ip'} route {prefix} blackhole{_table(back)}"
            for prefix in ring.prefixes
        ),
    )

"""blackhole_rule: what comes in for a prefix and is for nobody here is dropped by a policy rule.

Unlike a route it leaves alone what the host itself sends: its NAT (that of Services) gives such a
packet its destination only after a route was found (``own_services``). What NAT gives to packets
from outside they have before, and local addresses are looked up earlier still.
"""

from collections.abc import Iterator

from hopback.checks.ring_routes import Ring
from hopback.findings import Fix, Persistence
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Add, Edit
from hopback.snapshot.rows import Rule
from hopback.snapshot.table import Cite

NAME = "blackhole_rule"

_PRIORITY = 32765  # just before the table main


def plan(ring: Ring) -> Fix | None:
    """The rules for the one that sends back, by the device where the ring comes in."""
    back, dev = ring.sent_back_by, _comes_in(ring)
    ip = f"ip -n {back.dev.netns}" if back.dev.netns else "ip"
    # iproute2 takes an address for one of IPv4 where none was said to be of IPv6
    ip += " -6" * (back.route.family == 6)
    words = [f"pref {_PRIORITY} iif {dev} to {prefix} blackhole" for prefix in ring.prefixes]
    prefixes = ", ".join(map(str, ring.prefixes))
    return Fix(
        name=NAME,
        host=back.dev.host,
        commands=tuple(f"{ip} rule add {word}" for word in words),
        undo=tuple(f"{ip} rule del {word}" for word in words),
        limits=f"It holds for what comes in by {dev}; what comes in elsewhere goes out once.",
        blast_radius=f"what comes in by {dev} for {prefixes} and is for no address of {back.title}",
        persistence=tuple(_lasting(ring, words)),
    )


def edits(snapshot: Snapshot, ring: Ring) -> tuple[Edit, ...]:
    """The rules, as ``ip rule`` would list them then."""
    back, dev = ring.sent_back_by, _comes_in(ring)
    return tuple(
        Add(
            Rule(
                cite=Cite(len(snapshot.sources), 1),
                netns=back.dev.netns,
                priority=_PRIORITY,
                family=back.route.family,
                selector=f"from all to {prefix} iif {dev}",
                action="blackhole",
            )
        )
        for prefix in ring.prefixes
    )


def _comes_in(ring: Ring) -> str:
    """The device by which the ring comes in where it is sent back."""
    space = ring.sent_back_by.dev[:2]
    return next(h.place.dev.name for h in ring.hops if h.place.dev[:2] == space)


def _lasting(ring: Ring, words: list[str]) -> Iterator[Persistence]:
    back, dev = ring.sent_back_by, _comes_in(ring)
    if back.dev.netns:
        return
    rules = [
        f"[RoutingPolicyRule]\nTo={prefix}\nIncomingInterface={dev}\nPriority={_PRIORITY}\n"
        "Type=blackhole"
        for prefix in ring.prefixes
    ]
    yield Persistence(
        f"systemd-networkd (/etc/systemd/network/{dev}.network)",
        tuple(line for rule in rules for line in rule.splitlines()),
    )
    yield Persistence(
        f"ifupdown (/etc/network/interfaces, under {dev})",
        tuple(f"up ip rule add {word}" for word in words),
    )

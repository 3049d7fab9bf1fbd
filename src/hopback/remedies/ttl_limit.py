"""ttl_limit: iptables takes the hop that IPVS before Linux 4.10 does not take.

net/netfilter/xt_HL.c:ttl_tg stops at 0 and still delivers the packet, so a rule before it drops
what has none left. It bounds the loop and ends nothing else. The model does not evaluate the
target: this is offered unproved.
"""

from collections.abc import Iterator

from hopback.checks.words import named
from hopback.findings import Fix
from hopback.frames.mac import format_mac
from hopback.remedies.ipvs_ring import Directed, inside

NAME = "ttl_limit"


def plan(ring: Directed) -> Fix | None:
    """Two rules for each director that sends to the one that hands back."""
    service = ring.back.service
    if service.row.protocol == "fwmark" or not ring.peers():
        return None
    tool = "ip6tables" if service.key[1] == 6 else "iptables"
    rules = tuple(_rules(ring))
    start = f"{inside(ring.where)}{tool} -t mangle"
    return Fix(
        name=NAME,
        host=ring.where.host,
        commands=tuple(f"{start} -A PREROUTING {rule}" for rule in rules),
        undo=tuple(f"{start} -D PREROUTING {rule}" for rule in rules),
        limits=(
            "For kernels before 4.10, and not tried in the model. A packet still goes round until"
            " its TTL is used up, nobody is told, and all that the peer sends for the service loses"
            " a hop here."
        ),
        blast_radius=f"{service.title} as {named(ring.where.host)} gets it from the other director",
    )


def _rules(ring: Directed) -> Iterator[str]:
    protocol, family, address, port, _ = ring.back.service.key
    to = f"-d {address} -p {protocol}" + (f" --dport {port}" if port else "")
    module, lacks, target = (
        ("hl", "--hl-lt", "HL --hl-dec") if family == 6 else ("ttl", "--ttl-lt", "TTL --ttl-dec")
    )
    for mac in ring.peers():
        source = f"{to} -m mac --mac-source {format_mac(mac)}"
        yield f"{source} -m {module} {lacks} 2 -j DROP"
        yield f"{source} -j {target} 1"

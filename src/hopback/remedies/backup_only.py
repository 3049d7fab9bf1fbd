"""backup_only: a director that is backup leaves packets alone.

net/netfilter/ipvs/ip_vs_core.c:ip_vs_in_hook looks at the setting only while a synchronisation
thread of a backup runs (ip_vs.h:sysctl_backup_only). Without one it does nothing, and with both as
masters neither.
"""

from hopback.checks.words import named
from hopback.findings import Fix, Persistence
from hopback.remedies.ipvs_ring import Directed, inside, sysctl
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Edit

NAME = "backup_only"
KEY = "net.ipv4.vs.backup_only"


def plan(ring: Directed) -> Fix | None:
    """The setting, on the director that hands back."""
    there = named(ring.where.host)
    tool = f"{inside(ring.where)}sysctl -w"
    return Fix(
        name=NAME,
        host=ring.where.host,
        commands=(f"{tool} {KEY}=1",),
        undo=(f"{tool} {KEY}=0",),
        limits=(
            f"It holds while {there} runs the synchronisation thread of a backup (ipvsadm"
            " --start-daemon backup, or lvs_sync_daemon of keepalived), whoever is master."
        ),
        blast_radius=f"all services of {there}, while it is backup",
        persistence=(Persistence("sysctl (/etc/sysctl.d/60-ipvs.conf)", (f"{KEY} = 1",)),),
    )


def edits(snapshot: Snapshot, ring: Directed) -> tuple[Edit, ...]:
    """The setting as it is then."""
    return tuple(sysctl(snapshot, ring.where.netns, KEY, 1))


def idle(ring: Directed) -> str | None:
    """Why it would do nothing."""
    rows = ring.network.snapshots[ring.where.host].ipvs_daemons.rows
    if any(row.state == "backup" for row in rows if row.netns == ring.where.netns):
        return None
    return "no synchronisation thread of a backup runs there: the setting does nothing"

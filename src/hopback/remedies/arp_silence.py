"""arp_silence: a real server neither answers ARP for the virtual address nor asks with it.

net/ipv4/arp.c:arp_ignore (1: only for addresses of the device that was asked) and arp_announce (2:
never with an address that the device does not have). Of ``all`` and the device the larger counts.
It is no help where the address is on the wire's own device: there it belongs on lo.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from hopback.checks.case import Case
from hopback.checks.ipvs_arp_leak import NAME as CHECK
from hopback.checks.leaks import leak_of
from hopback.checks.real_servers import RealServer, taking_virtual
from hopback.checks.words import named
from hopback.findings import Finding, Fix, Persistence, Report
from hopback.network.build import build
from hopback.network.facts import DevId
from hopback.remedies.ipvs_ring import inside, sysctl, value_of
from hopback.remedies.remedy import with_fix
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Edit

NAME = "arp_silence"
_SETTINGS = {"net.ipv4.conf.all.arp_ignore": 1, "net.ipv4.conf.all.arp_announce": 2}


def silenced(snapshots: Sequence[Snapshot], report: Report) -> Mapping[int, tuple[Fix, ...]]:
    """The fixes by the number of the finding that they stand with, tried all at once."""
    wanted = {
        n: (f.host, str(f.details["netns"]), f.subject)
        for n, f in enumerate(report.findings)
        if _is_leak(f)
    }
    if not wanted:
        return {}
    places = {DevId(host, netns, "") for host, netns, _ in wanted.values()}
    plans = {where: _plan(snapshots, where) for where in places}
    after = Case(build([_changed(s, plans) for s in snapshots]))
    leaking = {_key(real): leak for real in taking_virtual(after) if (leak := leak_of(after, real))}
    found: dict[int, tuple[Fix, ...]] = {}
    for number, key in wanted.items():
        fix = plans[DevId(key[0], key[1], "")]
        leak = leaking.get(key)
        if leak is None:
            found[number] = (replace(fix, proved=True),)
        else:
            reason = f"{named(key[0])} still draws clients: {key[2]} is on {leak.dev} itself"
            found[number] = (replace(fix, rejected_because=reason),)
    return found


def _is_leak(finding: Finding) -> bool:
    """IPv4 alone has such settings; and where nobody showed them, they may be right already."""
    drawn = finding.check == CHECK and finding.details["kind"] in ("answers", "announces")
    return drawn and finding.confidence != "possible" and ":" not in finding.subject


def _key(real: RealServer) -> tuple[str, str, str]:
    return real.where.host, real.where.netns, str(real.asked.address)


def _plan(snapshots: Sequence[Snapshot], where: DevId) -> Fix:
    snapshot = next(s for s in snapshots if s.host == where.host)
    tool = f"{inside(where)}sysctl -w"
    before = {key: value_of(snapshot, where.netns, key) or 0 for key in _SETTINGS}
    return Fix(
        name=NAME,
        host=where.host,
        commands=tuple(f"{tool} {key}={value}" for key, value in _SETTINGS.items()),
        undo=tuple(f"{tool} {key}={value}" for key, value in before.items()),
        limits="Who has heard the wrong MAC keeps it until its entry ages, or ip neigh flush.",
        blast_radius=f"ARP of {named(where.host)} for addresses of its other devices",
        persistence=(
            Persistence(
                "sysctl (/etc/sysctl.d/60-ipvs.conf)",
                tuple(f"{key} = {value}" for key, value in _SETTINGS.items()),
            ),
        ),
    )


def _changed(snapshot: Snapshot, plans: Mapping[DevId, Fix]) -> Snapshot:
    """The snapshot as the fixes leave its host; the new rows cite their commands."""
    for where, fix in plans.items():
        snapshot = with_fix(snapshot, fix, _edits, where)
    return snapshot


def _edits(snapshot: Snapshot, where: DevId) -> Iterator[Edit]:
    for key, value in _SETTINGS.items():
        yield from sysctl(snapshot, where.netns, key, value)

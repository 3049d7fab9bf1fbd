"""Remedies that are one flag of a bridge port."""

from msgspec.structs import replace

from hopback.findings import Fix
from hopback.remedies.remedy import Remedy
from hopback.remedies.target import Target
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Edit, Replace


def by_flag(name: str, flag: str, on: bool, blast_radius: str) -> Remedy:
    """The remedy ``name``: ``flag`` of the port (bridge(8)) on or off."""

    def plan(target: Target) -> Fix:
        tool = f"bridge -n {target.port.netns}" if target.port.netns else "bridge"
        words = ("on", "off") if on else ("off", "on")
        there, back = (f"{tool} link set dev {target.port.name} {flag} {v}" for v in words)
        return Fix(name, target.host, (there,), (back,), blast_radius=blast_radius)

    def edits(snapshot: Snapshot, target: Target) -> tuple[Edit, ...]:
        return tuple(
            Replace(row, replace(row, **{flag: on}))
            for row in dict.fromkeys(snapshot.ports.rows)
            if (row.netns, row.name) == target.port[1:]
        )

    return Remedy(name, plan, edits)

"""A remedy in the lab: its own commands there, and the model of the host as they leave it."""

import shlex
from collections.abc import Iterator

from msgspec import Struct

from hopback.datapath.model import Model, model_of
from hopback.datapath.netfilter.listings import Key, Listed
from hopback.findings import Fix
from hopback.frames.mac import format_mac
from hopback.lab.devices import HOST
from hopback.lab.nft.script import script
from hopback.lab.predict import vlan_of, with_entry
from hopback.lab.segment import Segment
from hopback.lab.steps import Refused, Step, Tool
from hopback.network.build import build
from hopback.remedies import sticky_entry
from hopback.remedies.prove import changed
from hopback.remedies.reflected import BY_NAME
from hopback.remedies.remedy import Remedy
from hopback.remedies.target import Target, behind
from hopback.snapshot.patch import Add
from hopback.snapshot.rows import FilterChain, FilterRule

_TOOLS: dict[str, Tool] = {"ip": "ip", "bridge": "bridge"}
_WHY = "the remedy"

NAMES = (sticky_entry.NAME, *BY_NAME)
"""The remedies that can be tried, by their stable names."""


class Cure(Struct, frozen=True):
    """``commands`` are for the host, ``steps`` for the lab; ``model`` is the host's with it.

    ``sticky``: it pins the guest's entry, and the model is the lab's.
    """

    name: str
    commands: tuple[str, ...]
    steps: tuple[Step, ...]
    model: Model
    sticky: bool = False
    filters: bool = False
    notes: tuple[str, ...] = ()


def cure(name: str, model: Model, built: Model, segment: Segment) -> Cure:
    """The remedy ``name`` for the segment's guest. Raises Refused where it does not apply.

    ``model`` is that of the host, ``built`` that of the lab.
    """
    if name == sticky_entry.NAME:
        return _pin(built, segment)
    remedy = BY_NAME[name]
    station = segment.station
    hairpin = segment.home.port.flags.get("hairpin")
    if hairpin is None or not hairpin.value:
        what = f"hairpin is off on {segment.home.name}"
        raise Refused(f"{name} is for a port that returns a guest its own frames: {what}")
    target = behind(model.network, station.port, station.bridge, station.mac)
    fix = remedy.plan(target)
    if fix is None:
        raise Refused(f"{name} does not apply to {segment.home.name}")
    after = [changed(s, remedy, [(target, fix)]) for s in model.network.snapshots.values()]
    steps, notes = _steps(remedy, fix, target, model)
    return Cure(
        name=name,
        commands=fix.commands,
        steps=steps,
        model=model_of(build(after)),
        filters=remedy.filters,
        notes=notes,
    )


def _pin(model: Model, segment: Segment) -> Cure:
    station = segment.station
    mac, vid = format_mac(station.mac), vlan_of(model, station)
    line = sticky_entry.line(mac, segment.home.name, vid)
    return Cure(
        name=sticky_entry.NAME,
        commands=(f"bridge {line}",),
        steps=(Step(HOST, "bridge", line, _WHY),),
        model=with_entry(model, station, station.port, sticky=True),
        sticky=True,
    )


def _steps(
    remedy: Remedy, fix: Fix, target: Target, model: Model
) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """The commands themselves, or where the lab has no such tool, what they do."""
    try:
        return tuple(_commands(fix)), ()
    except KeyError:
        lines = _rules(remedy, target, model)
        note = f"{fix.name} is loaded as nftables"
        return tuple(Step(HOST, "nft", line, _WHY) for line in lines), (note,)


def _commands(fix: Fix) -> Iterator[Step]:
    files = {file.path: file.content for file in fix.files}
    for command in fix.commands:
        words = shlex.split(command)
        if words[:3] == ["ip", "netns", "exec"]:
            words = words[4:]
        if words[:2] == ["nft", "-f"]:
            yield Step(HOST, "nft", files[words[2]].rstrip(), _WHY)
            continue
        rest = words[3:] if words[1] == "-n" else words[1:]
        yield Step(HOST, _TOOLS[words[0]], shlex.join(rest), _WHY)


def _rules(remedy: Remedy, target: Target, model: Model) -> Iterator[str]:
    """The rows that the remedy adds, as commands that may be given again."""
    edits = remedy.edits(model.network.snapshots[target.host], target)
    rows = [edit.row for edit in edits if isinstance(edit, Add)]
    chains = tuple(row for row in rows if isinstance(row, FilterChain))
    rules: dict[Key, tuple[FilterRule, ...]] = {}
    for row in rows:
        if isinstance(row, FilterRule):
            key = (row.backend, row.family, row.table, row.chain)
            rules[key] = (*rules.get(key, ()), row)
    for row in chains:
        yield f"add table {row.family} {row.table}"
        yield f"delete table {row.family} {row.table}"
    yield from script(Listed(chains, rules, ())).lines

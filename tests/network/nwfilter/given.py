"""Filters and listings of libvirt's, recorded and spelled out."""

from collections.abc import Iterable
from pathlib import Path

from hopback.network.nwfilter.filters import Filters, filters_of
from hopback.snapshot.model import Builder, Snapshot
from hopback.snapshot.rows import FilterChain, FilterRule, NwBinding, Row
from hopback.snapshot.table import Source
from hopback.sources.parse import virsh_xml, xtables
from hopback.sources.parse.base import Text
from hopback.sources.parse.file_names import parse_file_name

FIXTURES = Path(__file__).parents[2] / "fixtures"


def snapshot(*paths: Path, texts: Iterable[str] = ()) -> Snapshot:
    """What the files hold, and documents of libvirt."""
    builder = Builder("kvm1")
    for path in paths:
        parser = virsh_xml if path.suffix == ".xml" else xtables
        words = parse_file_name(path.name).words
        text = Text(_open(builder, path.name), path.name, path.read_text().splitlines(), 1, words)
        _add(builder, parser.parse(text).rows)
    for document in texts:
        given = Text(_open(builder, "given"), "given", document.splitlines())
        _add(builder, virsh_xml.parse(given).rows)
    return builder.build()


def _open(builder: Builder, name: str) -> int:
    return builder.open(Source(name, "", 1, ""))


def _add(builder: Builder, rows: Iterable[Row]) -> None:
    builder.add(rows)


def recorded(folder: str, *, listings: bool = True) -> Snapshot:
    """A folder of fixtures: its filters, its bindings and what ebtables and iptables say."""
    found = sorted((FIXTURES / folder).glob("virsh-nwfilter-*.xml"))
    if listings:
        found += sorted((FIXTURES / folder).glob("*tables-save.txt"))
    return snapshot(*found)


def filters(*texts: str) -> Filters:
    """The filters of documents."""
    return filters_of(snapshot(texts=texts))


def listed(told: Snapshot) -> tuple[tuple[FilterChain, ...], tuple[FilterRule, ...]]:
    """The chains and rules that a snapshot has."""
    return tuple(told.filter_chains.rows), tuple(told.filter_rules.rows)


def binding(told: Snapshot, device: str) -> NwBinding:
    """What is bound to an interface."""
    (row,) = (row for row in told.nw_bindings.rows if row.device == device)
    return row

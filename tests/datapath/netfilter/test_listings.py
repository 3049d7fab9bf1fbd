"""Which of several listings of one table the rules are taken from."""

import pytest

from hopback.datapath.netfilter.listings import chosen
from hopback.snapshot.model import Builder, Snapshot
from hopback.snapshot.table import Extent, Source
from hopback.sources.parse import nft, xtables
from hopback.sources.parse.base import Text
from tests.sources.parse.given import recorded

NAMES = ("nft-list-ruleset.txt", "nft-j-list-ruleset.json", "ebtables-save.txt")


def listed(*names: str, cut: str = "") -> Snapshot:
    """Listings of libvirt's rules; that of nft covers all tables and shows ``xt match arp``."""
    builder = Builder()
    for name in names:
        text = recorded(f"libvirt/{name}")
        number = builder.open(Source(name))
        lines = text.lines[:-20] if name == cut else text.lines
        parser = xtables if name.startswith("eb") else nft
        parsed = parser.parse(
            Text(number, name, lines, command=text.command, strict=False, filtered=name == cut)
        )
        extent = Extent(number, complete=parser is nft)
        builder.add(parsed.rows, parsed.problems, parser.FILLS, extent)
    return builder.build()


def source(snapshot: Snapshot) -> set[str]:
    found = chosen(snapshot, "")
    rules = [rule for own in found.rules.values() for rule in own]
    return {snapshot.sources[row.cite.source].name for row in (*found.chains, *rules)}


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1]])
def test_the_tool_that_made_the_rules_tells_most(names: tuple[str, ...]) -> None:
    assert source(listed(*names)) == {"ebtables-save.txt"}


def test_text_of_nft_tells_more_than_its_json() -> None:
    assert source(listed(*NAMES[:2])) == {"nft-list-ruleset.txt"}


def test_a_listing_of_which_some_was_cut_comes_last() -> None:
    assert source(listed(*NAMES, cut="ebtables-save.txt")) == {"nft-list-ruleset.txt"}

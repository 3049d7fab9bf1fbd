"""Rows as commands of nft: what a kernel was given, listed and read, is printed the same."""

import re
from collections.abc import Iterable, Sequence
from contextlib import closing

import pytest

from hopback.datapath.netfilter.listings import Key, Listed
from hopback.lab.netns.namespace import Namespace
from hopback.lab.nft.script import Script, script
from hopback.snapshot.rows import FilterChain, FilterRule, FilterSet, Row
from hopback.sources.parse import nft, xtables
from hopback.sources.parse.base import Text
from tests.kernel.filter_rig import filter_refusal
from tests.rulesets.language import ruleset
from tests.rulesets.load import Aborted, listings, load

_LISTED_OTHERWISE = re.compile(r".*(meta mark & 0xfffffffe|tcp flags [!=]= \{|reject$)")
"""nft lists a mask of leading bits as a range, flags in any order, and what a reject looks at."""


def listed(rows: Iterable[Row]) -> Listed:
    chains: list[FilterChain] = []
    sets: list[FilterSet] = []
    rules: dict[Key, tuple[FilterRule, ...]] = {}
    for row in rows:
        if isinstance(row, FilterChain):
            chains.append(row)
        if isinstance(row, FilterSet):
            sets.append(row)
        if isinstance(row, FilterRule):
            key: Key = (row.backend, row.family, row.table, row.chain)
            rules[key] = (*rules.get(key, ()), row)
    return Listed(tuple(chains), rules, tuple(sets))


def read(text: str) -> Listed:
    words = ("nft", "list", "ruleset")
    return listed(nft.parse(Text(0, " ".join(words), text.splitlines(), command=words)).rows)


def saved(tool: str, *lines: str) -> Script:
    return script(listed(xtables.parse(Text(0, tool, list(lines), command=(tool,))).rows))


@pytest.mark.kernel("nft")
@pytest.mark.parametrize("seed", range(8))
def test_what_a_kernel_lists_is_printed_as_it_was_loaded(seed: int) -> None:
    """Random rulesets; nft refuses a few of its own listings, which say less than was loaded."""
    if reason := filter_refusal(brouting=False):
        pytest.skip(reason)
    try:
        first = script(read(through(ruleset(seed))))
        taken = tuple(line for line in first.lines if not _LISTED_OTHERWISE.match(line))
        with closing(Namespace.anonymous()) as space, space:
            kept = load(taken)
        again = script(read(through(kept)))
    except Aborted as error:
        pytest.skip(f"nft aborts: {error}")
    assert len(taken) - len(kept) <= 2
    assert again.unsaid == ()
    assert sorted(again.lines) == sorted(kept)
    rules = [line for line in again.lines if line.startswith("add rule ")]
    assert len(rules) > 10


def through(commands: Sequence[str]) -> str:
    with closing(Namespace.anonymous()) as space, space:
        return listings(commands).text


def test_rules_of_ebtables_are_nft_s() -> None:
    made = saved(
        "ebtables-save",
        "*nat",
        ":PREROUTING ACCEPT",
        ":OUTPUT ACCEPT",
        ":POSTROUTING ACCEPT",
        ":O-vnet8-mac ACCEPT",
        "-A POSTROUTING -o vnet8 -j O-vnet8-mac",
        "-A O-vnet8-mac -s 52:54:00:77:00:22 -d Multicast -j DROP",
    )
    assert made.unsaid == ()
    table = "bridge legacy-nat"
    assert made.lines == (
        f"add table {table}",
        f"add chain {table} PREROUTING {{ type filter hook prerouting priority -300;"
        " policy accept; }",
        f"add chain {table} OUTPUT {{ type filter hook output priority 100; policy accept; }}",
        f"add chain {table} POSTROUTING {{ type filter hook postrouting priority 300;"
        " policy accept; }",
        f"add chain {table} O-vnet8-mac",
        f'add rule {table} POSTROUTING meta oifname "vnet8" jump O-vnet8-mac',
        f"add rule {table} O-vnet8-mac ether saddr 52:54:00:77:00:22"
        " ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 drop",
        f"add rule {table} O-vnet8-mac accept",
    )


def test_return_in_a_base_chain_of_legacy_ebtables_goes_on() -> None:
    made = saved("ebtables-save", "*filter", ":FORWARD ACCEPT", "-A FORWARD -i vnet8 -j RETURN")
    assert made.lines[-1] == 'add rule bridge legacy-filter FORWARD meta iifname "vnet8"'


def test_fields_of_arp_in_rarp_are_raw() -> None:
    made = saved(
        "ebtables-save",
        "*filter",
        ":FORWARD ACCEPT",
        "-A FORWARD -p RARP --arp-ip-src 10.0.0.1 -j DROP",
    )
    assert made.lines[-1].endswith("ether type 0x8035 @nh,112,32 167772161 drop")


def test_what_nft_cannot_say_is_named() -> None:
    made = saved(
        "iptables-save",
        "*filter",
        ":FORWARD ACCEPT",
        "-A FORWARD -m physdev --physdev-in vnet8 -j DROP",
        "-A FORWARD -m statistic --mode random --probability 0.5 -j DROP",
        "-A FORWARD -s 10.0.0.1/32 -j DROP",
        "COMMIT",
    )
    assert next(one.why for one in made.unsaid) == "the field physdev in"
    assert len(made.unsaid) == 2
    assert [line for line in made.lines if "add rule" in line] == [
        "add rule ip legacy-filter FORWARD ip saddr 10.0.0.1 drop"
    ]

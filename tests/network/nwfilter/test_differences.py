"""What is missing of a filter, and what is there beside it."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from hopback.network.nwfilter.differences import differences
from hopback.network.nwfilter.filters import filters_of
from hopback.network.nwfilter.installed import installed
from hopback.snapshot.rows import FilterChain, FilterRule, Verdict
from tests.network.nwfilter.given import binding, listed, recorded

TOLD = recorded("libvirt-nwfilter")
CHAINS, RULES = listed(TOLD)
WANTED = installed(filters_of(TOLD), binding(TOLD, "vnet1"))


def found(chains: Sequence[FilterChain], rules: Sequence[FilterRule]) -> list[tuple[str, str]]:
    return [(one.kind, one.chain.name) for one in differences(WANTED, chains, rules)]


def test_a_rule_that_is_gone() -> None:
    victim = next(r for r in RULES if r.chain == "I-vnet1-mac" and r.steps[-1] == Verdict("drop"))
    (one,) = differences(WANTED, CHAINS, [rule for rule in RULES if rule is not victim])
    assert (one.kind, one.chain.name) == ("missing-rule", "I-vnet1-mac")
    assert one.rule is not None
    assert one.rule.steps == victim.steps
    assert TOLD.sources[one.rule.cite.source].name == "virsh-nwfilter-dumpxml-no-mac-spoofing.xml"


def test_a_rule_that_somebody_added() -> None:
    first = next(rule for rule in RULES if rule.chain == "I-vnet1-mac")
    added = replace(first, place=0, steps=(Verdict("accept"),))
    (one,) = differences(WANTED, CHAINS, [*RULES, added])
    assert (one.kind, one.rule) == ("extra-rule", added)


def test_rules_in_another_order() -> None:
    own = [rule for rule in RULES if rule.chain == "I-vnet1-mac"]
    turned = [replace(rule, place=-rule.place) if rule in own else rule for rule in RULES]
    assert {kind for kind, _ in found(CHAINS, turned)} == {"missing-rule", "extra-rule"}


def test_chains_of_one_priority_stand_in_any_order() -> None:
    wanted = installed(filters_of(TOLD), binding(TOLD, "vnet3"))
    jumps = {"I-vnet3-ipv4-zz", "I-vnet3-ipv4-aa"}
    twins = [r for r in RULES if r.chain == "libvirt-I-vnet3" and _leads_to(r) in jumps]
    first, second = twins
    turned = {first: replace(first, place=second.place), second: replace(second, place=first.place)}
    assert differences(wanted, CHAINS, [turned.get(rule, rule) for rule in RULES]) == ()


def _leads_to(rule: FilterRule) -> str:
    last = rule.steps[-1] if rule.steps else None
    return last.chain if isinstance(last, Verdict) else ""


@pytest.mark.parametrize("name", ["PREROUTING", "POSTROUTING"])
def test_a_chain_that_nothing_leads_to(name: str) -> None:
    kept = [rule for rule in RULES if rule.chain != name]
    assert found(CHAINS, kept) == [("missing-rule", name)]


def test_chains_that_are_gone_or_left_over() -> None:
    kept = [row for row in CHAINS if row.name != "O-vnet1-rarp"]
    assert found(kept, RULES) == [("missing-chain", "O-vnet1-rarp")]
    old = [
        replace(row, name="I-vnet1-ipv6") if row.name == "I-vnet1-mac" else row for row in CHAINS
    ]
    assert found(old, RULES) == [("missing-chain", "I-vnet1-mac"), ("extra-chain", "I-vnet1-ipv6")]


def test_tables_that_were_not_listed_are_not_compared() -> None:
    assert found([row for row in CHAINS if row.family != "bridge"], RULES) == []


def test_what_a_cut_listing_lacks_is_not_missing() -> None:
    cut = [replace(row, whole=False) for row in CHAINS]
    assert found(cut, [rule for rule in RULES if rule.chain != "I-vnet1-mac"]) == []

"""Chains: order, verdicts, jumps, questions and what is not known."""

from collections.abc import Sequence
from typing import Any

import pytest

from hopback.datapath.effects import Ask, Blind
from hopback.datapath.netfilter.packet import Passed, Seen, Stopped
from hopback.datapath.netfilter.traverse import traverse
from hopback.network.facts import Ref
from hopback.snapshot.rows import (
    Choice,
    Field,
    FilterSet,
    Mangle,
    Match,
    Opaque,
    PacketFilter,
    Row,
    Span,
    Step,
    Unsure,
    Value,
    Verdict,
)
from tests.datapath.netfilter.ruling import (
    HOST,
    A,
    bridged,
    chain,
    cite,
    ipv4,
    ruleset,
)

DROP, ACCEPT, RETURN = Verdict("drop"), Verdict("accept"), Verdict("return")


def when(key: str, *values: Value, op: str = "==", mask: int | None = None) -> Match:
    return Match((Field(key, mask),), tuple((value,) for value in values), op)  # type: ignore[arg-type]


FROM_VNET0 = when("meta iifname", "vnet0")


def is_dropped(*parts: Sequence[Row], **told: Any) -> bool:
    outcome = bridged(ruleset(*parts), ipv4(), **told)
    assert isinstance(outcome, Stopped | Passed), outcome
    return isinstance(outcome, Stopped)


@pytest.mark.parametrize(
    ("rules", "policy", "dropped"),
    [
        ([], "accept", False),
        ([], "drop", True),
        ([[DROP]], "accept", True),
        ([[FROM_VNET0, ACCEPT], [DROP]], "accept", False),
        ([[when("meta iifname", "vnet9"), ACCEPT], [DROP]], "accept", True),
        ([[FROM_VNET0, RETURN], [ACCEPT]], "drop", True),
        ([[FROM_VNET0, Verdict("continue")], [DROP]], "accept", True),
        ([[when("meta iifname", "vnet*"), DROP]], "accept", True),
        ([[when("meta iifname", "vnet0", op="!="), DROP]], "accept", False),
        ([[Verdict("reject")]], "accept", True),
    ],
)
def test_verdicts(rules: list[list[Step]], policy: str, dropped: bool) -> None:
    assert is_dropped(chain("c", *rules, hook="forward", policy=policy)) is dropped


def test_each_base_chain_is_asked_by_priority_and_one_drop_is_enough() -> None:
    first = chain("first", [ACCEPT], hook="forward", priority=-1)
    then = chain("then", [DROP], hook="forward", priority=1)
    outcome = bridged(ruleset(then, first), ipv4())
    assert isinstance(outcome, Stopped)
    assert outcome.chain == "bridge t then"


def test_of_one_priority_the_chain_made_last_is_asked_first() -> None:
    marks = chain("marks", [Mangle("meta mark", 1)], hook="forward")
    drops = chain("drops", [when("meta mark", 1), DROP], hook="forward")
    assert not is_dropped(marks, drops)
    assert is_dropped(drops, marks)


def test_legacy_tables_have_the_priorities_that_the_kernel_gives_them() -> None:
    told: dict[str, Any] = {"family": "ip", "backend": "legacy", "priority": None}
    rules = ruleset(
        chain("FORWARD", hook="forward", table="filter", **told),
        chain("FORWARD", hook="forward", table="mangle", **told),
        chain("PREROUTING", hook="prerouting", table="nat", kind="nat", **told),
        chain("POSTROUTING", hook="postrouting", table="nat", kind="nat", **told),
        chain("OUTPUT", hook="output", table="filter", **{**told, "family": "bridge"}),
    )
    found = {at: [chain.place[0] for chain in chains] for at, chains in rules.hooks.items()}
    assert found == {
        ("ip", "forward"): [-150, 0],
        ("ip", "prerouting"): [-100],
        ("ip", "postrouting"): [100],
        ("bridge", "output"): [200],
    }


def test_other_hooks_and_families_are_not_asked() -> None:
    rules = ruleset(
        chain("c", [DROP], hook="input"), chain("d", [DROP], hook="forward", family="ip")
    )
    assert isinstance(bridged(rules, ipv4()), Passed)
    assert isinstance(bridged(rules, ipv4(), hook="input"), Stopped)


def test_priorities_can_be_limited() -> None:
    rules = ruleset(chain("c", [DROP], hook="forward", priority=-200))
    seen = Seen("bridge", "forward", ipv4())
    assert isinstance(traverse(rules, {}, seen, range(-300, 0)), Stopped)
    assert isinstance(traverse(rules, {}, seen, range(300)), Passed)


@pytest.mark.parametrize(
    ("way", "dropped"), [("jump", True), ("goto", False)], ids=["comes back", "does not"]
)
def test_after_a_jump_the_next_rule_follows_and_after_a_goto_the_end(
    way: str, dropped: bool
) -> None:
    base = chain("c", [Verdict(way, "u")], [DROP], hook="forward")  # type: ignore[arg-type]
    assert is_dropped(base, chain("u", [RETURN], [DROP])) is dropped


def test_a_goto_from_a_called_chain_returns_to_the_caller() -> None:
    base = chain("c", [Verdict("jump", "u")], [DROP], hook="forward")
    assert is_dropped(base, chain("u", [Verdict("goto", "v")], [ACCEPT]), chain("v"))


def test_accept_in_a_called_chain_ends_the_base_chain() -> None:
    base = chain("c", [Verdict("jump", "u")], [DROP], hook="forward")
    assert not is_dropped(base, chain("u", [ACCEPT]))


def test_legacy_ebtables_chains_have_a_policy_of_their_own() -> None:
    told: dict[str, Any] = {"table": "filter", "backend": "legacy"}
    base = chain("FORWARD", [Verdict("jump", "u")], [DROP], hook="forward", **told)
    assert not is_dropped(base, chain("u", policy="accept", **told))
    assert is_dropped(base, chain("u", policy="return", **told))
    base = chain("FORWARD", [Verdict("jump", "u")], hook="forward", **told)
    assert is_dropped(base, chain("u", policy="drop", **told))


def test_return_in_a_base_chain_goes_on_in_legacy_ebtables_alone() -> None:
    rules = ([RETURN], [DROP])
    assert is_dropped(chain("c", *rules, hook="forward", table="filter", backend="legacy"))
    assert not is_dropped(chain("c", *rules, hook="forward"))


def test_a_verdict_map_and_a_named_one() -> None:
    fields = (Field("meta iifname"), Field("meta oifname"))
    entries = ((("vnet0", "vnet1"), DROP), (("vnet1", "vnet0"), ACCEPT))
    assert is_dropped(chain("c", [Choice(fields, entries)], hook="forward"))
    named = FilterSet(
        cite=cite(), family="bridge", table="t", name="m",
        elements=(("vnet7", "vnet7"), ("vnet0", "vnet1")), verdicts=(ACCEPT, DROP),
    )  # fmt: skip
    base = chain("c", [Choice(fields, map="m")], hook="forward")
    assert is_dropped(base, [named])
    outcome = bridged(ruleset(base, [named]), ipv4())
    assert isinstance(outcome, Stopped)
    assert Ref(HOST, named.cite) in outcome.refs


def test_a_set_of_ranges_that_was_not_listed_to_its_end_is_a_question() -> None:
    base = chain("c", [Match((Field("ip saddr"),), set="s"), DROP], hook="forward")
    net = Span(0xC0000200, 0xC00002FF)
    parts: dict[str, Any] = {"cite": cite(), "family": "bridge", "table": "t", "name": "s"}
    assert is_dropped(base, [FilterSet(elements=((net,),), whole=False, **parts)])
    outcome = bridged(ruleset(base, [FilterSet(elements=((1,),), whole=False, **parts)]), ipv4())
    assert isinstance(outcome, Ask)
    assert "rule 1" in outcome.question.text


def test_what_the_packet_does_not_decide_is_asked_and_the_answer_taken() -> None:
    rules = ruleset(chain("c", [FROM_VNET0, Unsure("limit rate 5/second"), DROP], hook="forward"))
    outcome = bridged(rules, ipv4())
    assert isinstance(outcome, Ask)
    assert outcome.question.subject == (HOST, "", "vnet0")
    assert isinstance(bridged(rules, ipv4(), {outcome.question: "yes"}), Stopped)
    assert isinstance(bridged(rules, ipv4(), {outcome.question: "no"}), Passed)


def test_nothing_is_asked_where_the_answer_changes_nothing() -> None:
    limit = Unsure("limit rate 5/second")
    counts: list[Step] = [FROM_VNET0, limit]
    fails: list[Step] = [limit, when("meta iifname", "vnet9"), DROP]
    assert not is_dropped(chain("c", counts, fails, hook="forward"))


def test_what_was_not_understood_matters_only_where_it_is_reached() -> None:
    rules = ruleset(chain("c", [FROM_VNET0, Opaque("xt match foo"), DROP], hook="forward"))
    assert isinstance(bridged(rules, ipv4()), Blind)
    assert isinstance(bridged(rules, ipv4(), indev="vnet5"), Passed)


def test_chains_that_were_not_shown_leave_it_open() -> None:
    assert isinstance(bridged(ruleset(chain("c", hook="forward", whole=False)), ipv4()), Blind)
    base = chain("c", [Verdict("jump", "gone")], hook="forward")
    assert isinstance(bridged(ruleset(base), ipv4()), Blind)


def test_a_filter_only_seen_may_hit_its_devices_alone() -> None:
    row = PacketFilter(cite=cite(), family="bridge", name="nft bridge t x", devices=("vnet1",))
    assert isinstance(bridged(ruleset([row]), ipv4()), Blind)
    assert isinstance(bridged(ruleset([row]), ipv4(), outdev="vnet2"), Passed)
    assert isinstance(bridged(ruleset([row], chain("x", hook="forward")), ipv4()), Passed)


def test_chains_that_call_each_other_end() -> None:
    rules = ruleset(
        chain("c", [Verdict("goto", "u")], hook="forward"), chain("u", [Verdict("goto", "u")])
    )
    assert isinstance(bridged(rules, ipv4()), Blind)


def test_only_what_decides_is_cited() -> None:
    rows = chain("c", [FROM_VNET0, ACCEPT], [DROP], hook="forward")
    passed = bridged(ruleset(rows), ipv4())
    assert passed.refs == (Ref(HOST, rows[1].cite),)  # type: ignore[union-attr]
    idle = bridged(ruleset(chain("c", [FROM_VNET0, ACCEPT], hook="forward")), ipv4())
    assert idle.refs == ()  # type: ignore[union-attr]
    jumping = chain("c", [Verdict("jump", "u")], hook="forward")
    called = chain("u", [DROP])
    stopped = bridged(ruleset(jumping, called), ipv4())
    assert set(stopped.refs) == {  # type: ignore[union-attr]
        Ref(HOST, row.cite) for row in (called[1], jumping[0], jumping[1])
    }


def test_the_listing_with_the_fewest_opaque_steps_is_taken() -> None:
    unread = chain("c", [Opaque("xt")], hook="forward", source=0)
    read = chain("c", [DROP], hook="forward", source=1)
    assert is_dropped(read, unread)
    assert is_dropped(unread, read)


def test_a_listing_that_lacks_chains_or_rules_is_not_taken_for_a_fuller_one() -> None:
    full = [
        *chain("base", [DROP], hook="forward", source=0),
        *chain("other", [Opaque("what")], source=0),
    ]
    one = chain("base", hook="forward", source=1)
    cut = [*chain("base", hook="forward", source=2, whole=False), *chain("other", source=2)]
    assert is_dropped(full, one, cut)


@pytest.mark.parametrize(
    "step", [Mangle("ip6 hoplimit", xor=9), when("ip6 hoplimit", 9)], ids=["set", "compared"]
)
def test_a_field_of_the_other_family_is_not_guessed_at(step: Step) -> None:
    """nft 1.0.6 adds no check of its own to a rule that names both families."""
    seen = Seen("ip", "forward", ipv4(), indev="eth0", outdev="eth1")
    both = Match((Field("meta nfproto"),), (("ipv4",), ("ipv6",)))
    rules = ruleset(chain("c", [both, step, DROP], family="inet", hook="forward"))
    assert isinstance(traverse(rules, {}, seen), Blind)
    single = ruleset(chain("c", [step, DROP], family="inet", hook="forward"))
    assert isinstance(traverse(single, {}, seen), Passed)


def test_marks_and_rewrites_are_done_and_named() -> None:
    steps = [Mangle("meta mark", 5), Mangle("ether saddr", A + 1)]
    outcome = bridged(ruleset(chain("c", steps, hook="forward")), ipv4())
    assert isinstance(outcome, Passed)
    assert (outcome.skb.mark, outcome.frame.src) == (5, A + 1)
    assert [why.rule for why in outcome.done] == ["filter-marks", "filter-rewrites"]

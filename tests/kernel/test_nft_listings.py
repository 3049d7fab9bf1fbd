"""What nft prints of random rulesets, as text and as JSON, is read as the same rows."""

from contextlib import closing

import pytest
from msgspec.structs import replace

from hopback.lab.netns.namespace import Namespace
from hopback.snapshot.keys import said
from hopback.snapshot.rows import FilterChain, FilterRule, Opaque, Row, Unsure
from hopback.sources.parse import nft
from hopback.sources.parse.base import Text
from tests.kernel.filter_rig import filter_refusal
from tests.rulesets.language import ruleset
from tests.rulesets.load import Aborted, Listings, listings

pytestmark = pytest.mark.kernel("nft")

SEEDS = range(12)


@pytest.fixture(scope="module", params=SEEDS, ids=lambda seed: f"seed{seed}")
def listed(request: pytest.FixtureRequest) -> Listings:
    if reason := filter_refusal(brouting=False):
        pytest.skip(reason)
    with closing(Namespace.anonymous()) as space, space:
        try:
            return listings(ruleset(request.param))
        except Aborted as error:
            pytest.skip(f"nft aborts: {error}")


def rows(text: str, command: str) -> list[Row]:
    parsed = nft.parse(Text(0, command, text.splitlines(), command=tuple(command.split())))
    assert parsed.problems == []
    return [meant(row) for row in parsed.rows]


def meant(row: Row) -> Row:
    """The row without where and how it was written."""
    row = said(row)
    if isinstance(row, FilterRule):
        steps = tuple(
            replace(step, text="") if isinstance(step, Opaque | Unsure) else step
            for step in row.steps
        )
        return replace(row, text="", steps=steps)
    if isinstance(row, FilterChain) and row.hook in ("ingress", "egress"):
        return replace(row, devices=None)  # nft 1.0.6 leaves them out of its JSON
    return row


def order(row: Row) -> str:
    return f"{type(row).__name__} {row}"


def test_text_and_json_give_the_same_rows(listed: Listings) -> None:
    """Of every ruleset that this nft and kernel take."""
    text = sorted(rows(listed.text, "nft list ruleset"), key=order)
    json = sorted(rows(listed.json, "nft -j list ruleset"), key=order)
    assert len(text) == len(json)
    for left, right in zip(text, json, strict=True):
        assert left == right


def test_every_rule_is_there(listed: Listings) -> None:
    """As many as were loaded, whatever is understood of them."""
    loaded = sum(command.startswith("add rule ") for command in listed.taken)
    found = rows(listed.text, "nft list ruleset")
    rules = [row for row in found if isinstance(row, FilterRule)]
    own = [rule for rule in rules if not rule.chain.startswith("__chain.")]
    assert len(own) == loaded > 10

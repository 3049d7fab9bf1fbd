"""The page on TTL in IPVS names rules and tests that are there, and every test of the review."""

import re
from pathlib import Path

from hopback.datapath.rules import RULES
from tests.datapath.ipvs import test_review

PAGE = Path(__file__).parents[2].joinpath("docs/ipvs-ttl.md").read_text()


def test_every_test_of_the_review_is_named_and_none_other() -> None:
    tests = {name for name in vars(test_review) if name.startswith("test_")}
    assert set(re.findall(r"`(test_\w+)`", PAGE)) == tests


def test_its_rules_are_those_of_the_model() -> None:
    named = set(re.findall(r"`(ipvs-[a-z-]+)`", PAGE)) - {"ipvs-loop"}
    assert named
    assert named <= RULES.keys()

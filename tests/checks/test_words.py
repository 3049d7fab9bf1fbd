"""How hosts and lists of things are called in a sentence."""

import pytest

from hopback.checks.words import joined, placed
from tests.build import dev


@pytest.mark.parametrize(
    ("names", "said"),
    [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c"), ("aba", "a and b")],
)
def test_a_list(names: str, said: str) -> None:
    assert joined(names) == said


def test_a_namespace() -> None:
    assert placed(dev("eth0", host="kvm1")) == "kvm1"
    assert placed(dev("eth0", host="kvm1", netns="blue")) == "kvm1/blue"
    assert placed(dev("eth0", host="")) == "the host"

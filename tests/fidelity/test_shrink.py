"""Shrinking: what is left still fails, and nothing more can be taken away."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tests.fidelity.shrink import changed_at, fewer, plainer, shrink


@dataclass(frozen=True)
class Flags:
    number: int
    on: bool = False
    count: int = 3


@given(st.lists(st.integers(), min_size=1).map(tuple), st.data())
def test_all_but_the_guilty_goes(items: tuple[int, ...], data: st.DataObject) -> None:
    guilty = set(data.draw(st.lists(st.sampled_from(items), min_size=1)))
    left = shrink(items, fewer, lambda some: guilty <= set(some))
    assert sorted(left) == sorted(guilty)


@given(st.lists(st.integers()).map(tuple))
def test_fewer_is_fewer_down_to_one_less(items: tuple[int, ...]) -> None:
    found = list(fewer(items))
    assert all(len(some) < len(items) for some in found)
    assert all(items[:i] + items[i + 1 :] in found for i in range(len(items)))


def test_a_case_that_cannot_be_smaller_stays() -> None:
    case: tuple[int, ...] = (1, 2)
    assert shrink(case, fewer, lambda some: some == case) == case


def test_plainer_sets_one_field_to_its_default() -> None:
    assert list(plainer(Flags(1, on=True, count=4))) == [Flags(1, count=4), Flags(1, on=True)]
    assert list(plainer(Flags(7))) == []


def test_changed_at() -> None:
    assert changed_at((1, 2, 3), 1, 9) == (1, 9, 3)

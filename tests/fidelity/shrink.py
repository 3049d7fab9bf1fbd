"""From a case that fails to a small one that still does."""

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, replace
from typing import Any, TypeVar

T = TypeVar("T")

TRIES_MAX = 2000


def shrink(case: T, smaller: Callable[[T], Iterator[T]], fails: Callable[[T], bool]) -> T:
    """Take the first smaller case that fails, again and again, until none does."""
    tries = 0
    found: T | None = case
    while found is not None:
        case, found = found, None
        for candidate in smaller(case):
            tries += 1
            if tries > TRIES_MAX:
                return case
            if fails(candidate):
                found = candidate
                break
    return case


def fewer(items: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    """The items without a half of them, a quarter, …, without one."""
    size = len(items)
    while size > 1:
        size = (size + 1) // 2
        for start in range(0, len(items), size):
            yield items[:start] + items[start + size :]
    if len(items) == 1:
        yield ()


def plainer(value: Any) -> Iterator[Any]:
    """A dataclass with one field at its default, for each that is not."""
    for field in fields(value):
        default = field.default
        if default is not MISSING and getattr(value, field.name) != default:
            yield replace(value, **{field.name: default})


def changed_at(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    """The items with another one at ``index``."""
    return (*items[:index], item, *items[index + 1 :])

"""The loop: a case, the kernel's result, the model's; and the mutants, until each is caught."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat
from random import Random
from typing import Generic

from tests.fidelity.area import Area, C, Prediction, Result
from tests.fidelity.mutants import faithful, mutant
from tests.fidelity.shrink import shrink

Kernel = Callable[[C], Result]


@dataclass
class Tally(Generic[C]):
    """What a run came to. ``cases`` disagree in ``mismatches``; ``smallest`` is the first, shrunk.

    ``caught`` are the rules whose mutant was noticed. ``steady`` is False when the first mismatch
    did not come again: the kernel was late, not the model wrong.
    """

    cases: int = 0
    frames: int = 0
    mismatches: int = 0
    caught: set[str] = field(default_factory=set)
    smallest: C | None = None
    steady: bool = True


def run(area: Area[C], chance: Random, enough: Callable[[Tally[C]], bool]) -> Tally[C]:
    """Ask the running kernel about random cases of ``area`` until there are ``enough``."""
    tally: Tally[C] = Tally()
    with area.kernel() as kernel:
        for case in chain(area.enumerated, _endless(area, chance)):
            take(area, kernel, case, tally)
            if enough(tally):
                break
    return tally


def take(area: Area[C], kernel: Kernel[C], case: C, tally: Tally[C]) -> None:
    """Compare one case, and add it to ``tally``."""
    found, wanted = kernel(case), area.model(case, faithful)
    tally.cases += 1
    tally.frames += len(case.frames)
    if found != wanted.result:
        tally.mismatches += 1
        if tally.smallest is None:
            tally.steady = disagree(area, kernel, case)
            tally.smallest = shrink(case, area.smaller, lambda c: disagree(area, kernel, c))
        return
    tally.caught |= set(_noticed(area, case, found, wanted, tally.caught))


def disagree(area: Area[C], kernel: Kernel[C], case: C) -> bool:
    """Whether the kernel does something else than the model says."""
    return kernel(case) != area.model(case, faithful).result


def assert_agree(area: Area[C], case: C) -> None:
    """One case as a test, to be kept once it was found."""
    with area.kernel() as kernel:
        assert kernel(case) == area.model(case, faithful).result


def _noticed(
    area: Area[C], case: C, found: Result, wanted: Prediction, caught: set[str]
) -> Iterator[str]:
    """The rules that decided here, and whose mutant does not get by."""
    for rule in (area.rules & wanted.fired) - caught:
        if area.model(case, mutant(rule)).result != found:
            yield rule


def _endless(area: Area[C], chance: Random) -> Iterator[C]:
    return (area.generate(chance) for _ in repeat(None))

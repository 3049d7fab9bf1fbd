"""The loop: a case, the kernel's result, the model's; and the mutants, until each is caught."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat
from random import Random
from typing import Generic

from tests.fidelity.area import Area, C, Prediction, Result, differences
from tests.fidelity.mutants import faithful, mutant
from tests.fidelity.shrink import shrink

Kernel = Callable[[C], Result]


@dataclass(frozen=True)
class Mismatch(Generic[C]):
    """The first case (by ``number``, from 1) that disagreed, shrunk, and what ``differs``.

    Not ``steady``: it agreed in the end when asked again, so something was late; it is not shrunk.
    """

    number: int
    case: C
    differs: tuple[str, ...]
    steady: bool


@dataclass
class Tally(Generic[C]):
    """What a run came to. ``caught`` are the rules whose mutant was noticed."""

    cases: int = 0
    frames: int = 0
    mismatches: int = 0
    caught: set[str] = field(default_factory=set)
    first: Mismatch[C] | None = None


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
        if tally.first is None:
            once = differences(found, wanted.result)
            tally.first = _shrunk(area, kernel, Mismatch(tally.cases, case, once, steady=False))
        return
    tally.caught |= set(_noticed(area, case, found, wanted, tally.caught))


def _shrunk(area: Area[C], kernel: Kernel[C], found: Mismatch[C]) -> Mismatch[C]:
    def differing(case: C) -> tuple[str, ...]:
        return differences(kernel(case), area.model(case, faithful).result)

    if not differing(found.case):
        return found
    smallest = shrink(found.case, area.smaller, lambda case: bool(differing(case)))
    # What lasted for two questions may be over by now: then the first answer is all there is.
    last = differing(smallest)
    return Mismatch(found.number, smallest, last, steady=True) if last else found


def assert_agree(area: Area[C], case: C) -> None:
    """One case as a test, to be kept once it was found."""
    with area.kernel() as kernel:
        assert differences(kernel(case), area.model(case, faithful).result) == ()


def _noticed(
    area: Area[C], case: C, found: Result, wanted: Prediction, caught: set[str]
) -> Iterator[str]:
    """The rules that decided here, and whose mutant does not get by."""
    for rule in (area.rules & wanted.fired) - caught:
        if area.model(case, mutant(rule)).result != found:
            yield rule


def _endless(area: Area[C], chance: Random) -> Iterator[C]:
    return (area.generate(chance) for _ in repeat(None))

"""What a run found, in words, in one line, and as a row of docs/fidelity.json."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from tests.fidelity.area import Area
from tests.fidelity.run import Mismatch, Tally
from tests.fidelity.source import source


class AreaRun(Struct, frozen=True):
    """One area on one kernel. ``kernel`` is host or uml; ``date`` as in ISO 8601."""

    kernel: str
    release: str
    area: str
    cases: int
    frames: int
    mismatches: int
    caught: int
    mutants: int
    date: str
    not_covered: tuple[str, ...]


def verdict(area: Area[Any], tally: Tally[Any], seconds: float) -> str:
    """One area in one line, with the names of the mutants that got by."""
    rates = f"{tally.cases / seconds:.0f} cases/s, {tally.frames / seconds:.0f} frames/s"
    missed = sorted(area.rules - tally.caught)
    return f"{area.name}: {rates}" + (f"; not caught: {', '.join(missed)}" if missed else "")


def told(area: str, found: Mismatch[Any], seed: int) -> str:
    """A mismatch as a test that can be kept; one that did not come again only in words."""
    if not found.steady:
        differs = "".join(f"\n    {line}" for line in found.differs)
        return f"{area}: case {found.number} differed once, and agreed when asked again{differs}"
    comments = "".join(f"    # {line}\n" for line in found.differs)
    case = source(found.case, "    ")
    return (
        f"\ndef test_{area}_as_found_with_seed_{seed}() -> None:\n"
        f"{comments}    case = {case}\n    assert_agree(AREA, case)\n"
    )


def last_line(kernel: str, area: str, runs: Sequence[AreaRun]) -> str:
    """The sums, as scripts read them."""

    def total(name: str) -> int:
        return sum(getattr(run, name) for run in runs)

    numbers = " ".join(f"{name}={total(name)}" for name in ("cases", "frames", "mismatches"))
    mutants = f"{total('caught')}/{total('mutants')}"
    return f"fidelity kernel={kernel} area={area} {numbers} mutants={mutants}"

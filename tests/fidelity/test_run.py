"""The harness can fail: a wrong model is found, made small, printed, and counted."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from random import Random

import pytest
from click.testing import CliRunner

from hopback.datapath.effects import Send, Why
from hopback.frames.codec import decode
from hopback.network.facts import DevId
from tests.fidelity import command
from tests.fidelity.area import Prediction, Result
from tests.fidelity.mutants import Mutation, Spot
from tests.fidelity.run import run
from tests.fidelity.shrink import fewer

PORT = DevId("", "", "p0")
RAW = bytes.fromhex("020000000101 020000000102 88b5") + bytes(46)


@dataclass(frozen=True)
class Numbers:
    """A case of the toy area: frames that are numbers."""

    frames: tuple[int, ...]


@dataclass(frozen=True)
class ToyArea:
    """A kernel that sends every frame, except those the model is ``wrong`` about."""

    wrong: int | None = None
    rules: frozenset[str] = frozenset({"sends"})
    missing: str | None = None
    name: str = "toy"
    not_covered: tuple[str, ...] = ("everything else",)
    enumerated: Sequence[Numbers] = ()

    def refusal(self) -> str | None:
        return self.missing

    def generate(self, chance: Random) -> Numbers:
        return Numbers(tuple(chance.randrange(100) for _ in range(20)))

    def smaller(self, case: Numbers) -> Iterator[Numbers]:
        return (replace(case, frames=frames) for frames in fewer(case.frames))

    @contextmanager
    def kernel(self) -> Iterator[Callable[[Numbers], Result]]:
        yield lambda case: Result({"p0": tuple(bytes([n]) for n in case.frames if n != self.wrong)})

    def model(self, case: Numbers, mutation: Mutation) -> Prediction:
        frame = decode(RAW)
        sent = mutation([Send(PORT, frame, Why("sends"))], Spot(PORT, None, frame))
        frames = case.frames if sent else ()
        return Prediction(Result({"p0": tuple(bytes([n]) for n in frames)}), self.rules)


@dataclass(frozen=True)
class LateArea(ToyArea):
    """A kernel that sends nothing for the first ``late`` times it is asked."""

    late: int = 0

    @contextmanager
    def kernel(self) -> Iterator[Callable[[Numbers], Result]]:
        asked = count()
        with super().kernel() as kernel:
            yield lambda case: Result() if next(asked) < self.late else kernel(case)


def ask(monkeypatch: pytest.MonkeyPatch, area: ToyArea, *words: str) -> tuple[int, str]:
    monkeypatch.setattr(command, "areas", lambda: {area.name: area})
    done = CliRunner().invoke(command.main, ["--frames", "2000", "--seed", "7", *words])
    return done.exit_code, done.output


def test_a_faithful_model_agrees() -> None:
    tally = run(ToyArea(), Random(7), lambda tally: tally.cases >= 10)
    assert (tally.cases, tally.frames, tally.mismatches) == (10, 200, 0)
    assert tally.caught == {"sends"}
    assert tally.first is None


def test_a_wrong_model_is_found_and_made_small() -> None:
    tally = run(ToyArea(wrong=42), Random(7), lambda tally: tally.cases >= 100)
    assert 0 < tally.mismatches < 100
    assert tally.first is not None
    assert tally.first.case == Numbers((42,))
    assert tally.first.differs == ("egress p0: kernel (), model (2a)",)
    assert tally.first.steady


@pytest.mark.parametrize("late", [1, 2])
def test_what_passes_is_told_as_it_was_first_seen(late: int) -> None:
    tally = run(LateArea(late=late), Random(7), lambda tally: tally.cases >= 3)
    assert tally.mismatches == 1
    assert tally.first is not None
    assert not tally.first.steady
    assert len(tally.first.case.frames) == 20, "not shrunk"
    assert tally.first.differs


def test_enumerated_cases_come_first() -> None:
    area = ToyArea(wrong=300, enumerated=(Numbers((1, 2)),))
    assert run(area, Random(7), lambda _: True).frames == 2


def test_the_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = ask(monkeypatch, ToyArea(), "--area", "toy")
    assert code == 0
    line = "fidelity kernel=host area=toy cases=100 frames=2000 mismatches=0 mutants=1/1"
    assert output.splitlines()[-1] == line
    assert output.count("fidelity kernel=") == 1


def test_a_mismatch_is_printed_as_a_test_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = ask(monkeypatch, ToyArea(wrong=42))
    assert code == 1
    assert "def test_toy_as_found_with_seed_7() -> None:\n" in output
    assert "    # egress p0: kernel (), model (2a)\n    case = Numbers(frames=(42,))\n" in output
    assert " mismatches=0 " not in output


def test_a_mutant_that_gets_by_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = ask(monkeypatch, ToyArea(rules=frozenset({"sends", "sleeps"})))
    assert code == 1
    assert "not caught: sleeps" in output
    assert output.endswith("mutants=1/2\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--area", "moon"], "no area moon: there are toy"), ([], "toy: not on this kernel: no taps")],
)
def test_what_cannot_be_asked(monkeypatch: pytest.MonkeyPatch, words: list[str], said: str) -> None:
    code, output = ask(monkeypatch, ToyArea(missing="no taps"), *words)
    assert code == 2
    assert said in output

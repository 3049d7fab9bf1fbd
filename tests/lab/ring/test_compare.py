"""What was seen of a ring beside what the model says of it."""

import pytest

from hopback.lab.ring.compare import RingResult, RingSeen
from hopback.lab.ring.plan import Expected

BOUNDED, ENDLESS = Expected(64, "192.0.2.100"), Expected(None, None)


def result(recorded: RingSeen, fixed: RingSeen | None = None) -> RingResult:
    return RingResult("6.1", recorded, fixed, ())


def test_as_foretold() -> None:
    seen = result(RingSeen(64, False, True, BOUNDED), RingSeen(2, False, False, Expected(2, None)))
    assert seen.differences == ()
    assert seen.went_round
    assert seen.mended


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (RingSeen(62, False, True, BOUNDED), "the model says 64 frames, the kernel 62"),
        (RingSeen(300, True, True, BOUNDED), "the model says 64 frames, the kernel without end"),
        (RingSeen(64, False, False, ENDLESS), "the model says without end, the kernel 64 frames"),
        (RingSeen(64, False, False, BOUNDED), "192.0.2.100 tells the client, the kernel does not"),
    ],
)
def test_differences(seen: RingSeen, said: str) -> None:
    assert any(said in text for text in result(seen).differences)


def test_a_fix_that_does_not_help() -> None:
    seen = RingSeen(64, False, True, BOUNDED)
    assert not result(seen, seen).mended
    assert not result(seen, RingSeen(300, True, False, ENDLESS)).mended

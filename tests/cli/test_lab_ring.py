"""``hopback lab`` of directors, on a user-mode kernel."""

import msgspec

from hopback.render.ring_json_v1 import RingV1
from tests.cli.conftest import Run
from tests.kernel.uml import needs_in_uml
from tests.reconstructions import ROOT

A, B = (ROOT / f"tests/fixtures/vm61-director-{name}" for name in "ab")


def test_plan_is_printed_and_nothing_is_done(run: Run) -> None:
    result = run("lab", A, B, "--plan", "--in", "uml", "--assume", "kernel=3.10")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "The lab of vm61-director-a and vm61-director-b: 4 namespaces, one scene."
    words = "-a -u 10.0.0.100:5000 -r 10.0.0.12:5000 -g -w 1"
    assert f"  ip netns exec vm61-director-a ipvsadm {words}" in lines
    assert "  → client sends a packet for UDP 10.0.0.100:5000" in lines


def test_unknown_fix_is_a_usage_error(run: Run) -> None:
    result = run("lab", A, B, "--plan", "--in", "uml", "--fix", "sticky_entry")
    assert result.exit_code == 2
    assert "own_server" in result.stderr


@needs_in_uml("ipvsadm")
def test_goes_round_and_a_fix_ends_it(run: Run) -> None:
    result = run("lab", A, B, "--in", "uml", "--fix", "own_server", "--json")
    told = msgspec.json.decode(result.stdout, type=RingV1)
    assert told.differences == ()
    assert (told.reproduced, told.recorded.frames, told.recorded.told) == (True, 64, True)
    assert told.recorded.told_by == "10.0.0.100"
    assert told.fixed is not None
    assert (told.mended, told.fixed.frames) == (True, 2)
    assert result.exit_code == 0


@needs_in_uml("ipvsadm", "iptables-legacy")
def test_old_kernels_never_end_it(run: Run) -> None:
    result = run("lab", A, B, "--in", "uml", "--assume", "kernel=3.10")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "REPRODUCED  UDP 10.0.0.100:5000"
    assert "  the kernel: without end" in lines
    assert "old kernel is not to be had" in result.stdout


def test_one_director_makes_no_ring(run: Run) -> None:
    result = run("lab", A)
    assert result.exit_code == 2
    assert "no ring of directors: are the tables of the other one missing?" in result.stderr

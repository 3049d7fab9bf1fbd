"""The lab on the running kernel: it shows what the model foretells, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hopback.lab.compare import Result, compare
from hopback.lab.neighbours import Kind
from hopback.lab.netns.runner import NetnsRunner
from hopback.lab.observed import decode_observed
from hopback.lab.plan import Design, design
from hopback.lab.steps import Plan, Refused, Scene, Send, Step, encode_plan
from tests.build import case
from tests.kernel.rig import wait_until
from tests.reconstructions import PASTE, RING, healthy_paste

pytestmark = pytest.mark.kernel("tc")

UPLINK = "bond0.2222"

DEAF = """
import ctypes, os, socket, struct, sys
from hopback.lab.netns.build import Lab
from hopback.lab.netns.isolate import isolate
from hopback.lab.netns.play import Stage
from hopback.lab.observed import Observed, encode_observed
from hopback.lab.steps import decode_plan
plan = decode_plan(sys.stdin.buffer.read())
isolate(plan)
with Lab(plan) as lab:
    stage = Stage(lab, plan)
    nothing = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0), 8)  # BPF: ret #0
    program = struct.pack("HxxxxxxQ", 1, ctypes.addressof(nothing))
    ear = socket.socket(fileno=os.dup(stage.observers["host"].fileno()))
    ear.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER
    scenes = tuple(stage.play(scene) for scene in plan.scenes)
    sys.stdout.buffer.write(encode_observed(Observed("", scenes)))
"""

RUN = """
import sys
from hopback.lab.netns.runner import NetnsRunner
from hopback.lab.steps import decode_plan
NetnsRunner().run(decode_plan(sys.stdin.buffer.read()))
"""


def designed(text: str, kind: Kind | None, fix: str | None = "sticky_entry") -> Design:
    given = case(text)
    return design(given.model, given.network.stations[0], uplink=kind, fix=fix)


def played(text: str, kind: Kind | None, fix: str | None = "sticky_entry") -> Result:
    made = designed(text, kind, fix)
    return compare(made, NetnsRunner().run(made.plan))


def test_reflector_loses_the_reply_where_the_model_says_and_the_pin_mends_it() -> None:
    result = played(PASTE.read_text(), "reflector")
    assert (result.outcome, result.differences) == ("reproduced", ())
    lost = result.live[-1]
    assert (lost.expected.message, lost.lost_at) == ("OFFER", UPLINK)
    assert result.mended
    assert result.fixed is not None
    assert [p.expected.message for p in result.fixed] == ["DISCOVER", "OFFER", "REQUEST", "ACK"]


def test_ring_loses_the_reply_and_the_pin_does_not_mend_it_as_foretold() -> None:
    result = played(PASTE.read_text(), "two-link-loop")
    assert (result.outcome, result.differences) == ("reproduced", ())
    assert result.mended is False


@pytest.mark.parametrize("kind", ["silent", "switch"])
def test_neighbour_that_returns_nothing_does_not_reproduce_it(kind: Kind) -> None:
    result = played(PASTE.read_text(), kind, fix=None)
    assert (result.outcome, result.differences) == ("not-reproduced", ())
    assert result.arrives


def test_healthy_host_is_as_the_model_says() -> None:
    result = played(healthy_paste(), None, fix=None)
    assert (result.outcome, result.differences) == ("reproduced", ())
    assert result.arrives


def test_another_host_with_whole_tables() -> None:
    result = played(RING.read_text(), "reflector")
    assert (result.outcome, result.differences) == ("reproduced", ())
    assert result.live[-1].lost_at == "luplink0"
    assert result.mended


@pytest.mark.parametrize(
    "change",
    [
        ("state forwarding", "state blocking"),
        ("learning on flood", "learning off flood"),
        ("hairpin off", "hairpin on"),
        ("bcast_flood on", "bcast_flood off"),
        ("isolated off", "isolated on"),
        ("locked off", "locked on"),
        ("mcast_snooping 0", "mcast_snooping 1"),
    ],
    ids=lambda change: change[1],
)
def test_settings_of_a_port_act_as_the_model_says(change: tuple[str, str]) -> None:
    result = played(RING.read_text().replace(*change), "reflector", fix=None)
    assert (result.differences, result.deaf) == ((), ())
    assert result.outcome != "deaf"


def test_model_that_is_wrong_is_found_out() -> None:
    """The kernel pins the entry and the model does not know: they differ, and it is said."""
    made = designed(PASTE.read_text(), "reflector", fix=None)
    pin = Step("host", "bridge", made.plan.late[-1].line.replace("dynamic", "static sticky"))
    *others, live = made.plan.scenes
    home = pin.line.replace(UPLINK, "tap0b5f208b-76")
    changed = replace(live, before=(*live.before, Step("host", "bridge", home)))
    plan = replace(made.plan, scenes=(*others, changed))
    result = compare(made, NetnsRunner().run(plan))
    assert result.outcome == "not-reproduced"
    assert result.differences == (
        f"live: the OFFER should be lost at {UPLINK}, and arrives",
        f"after the story the guest should be on {UPLINK}, and is on tap0b5f208b-76",
    )


def test_step_that_fails_is_named() -> None:
    plan = Plan(("host",), (Step("host", "ip", "link set nowhere up"),), (), (), ())
    with pytest.raises(Refused, match=r"ip link set nowhere up: Cannot find device"):
        NetnsRunner().run(plan)


def test_deaf_observer_does_not_look_like_silence() -> None:
    made = designed(PASTE.read_text(), "reflector", fix=None)
    live = replace(made.plan, scenes=made.plan.scenes[-1:])
    done = subprocess.run(
        [sys.executable, "-c", DEAF],
        input=encode_plan(live),
        capture_output=True,
        check=True,
        timeout=60,
    )
    result = compare(made, decode_observed(done.stdout))
    assert result.outcome == "deaf"
    assert UPLINK in result.deaf


def endless() -> bytes:
    """A plan that storms, and would go on for a minute."""
    plan = designed(PASTE.read_text(), "two-link-loop", fix=None).plan
    live = plan.scenes[-1]
    waits = Send("late", live.sends[0].at, b"\xff" * 60, delay=50)
    scene = Scene(live.name, (live.sends[0], waits), live.before)
    return encode_plan(replace(plan, scenes=(scene,)))


def networks(pid: int) -> set[str]:
    """The network namespaces that a process is in or holds."""
    found = set()
    for link in (*Path(f"/proc/{pid}/fd").glob("*"), Path(f"/proc/{pid}/ns/net")):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("net:"):
            found.add(target)
    return found


def processes() -> Iterator[int]:
    return (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit())


def held(spaces: set[str]) -> set[int]:
    return {pid for pid in processes() if spaces & networks(pid)}


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def lab_of(pid: int) -> set[str]:
    """The namespaces of the lab below ``pid``, once it has its guard and is at play."""
    own = networks(os.getpid())

    def found() -> set[str]:
        mine = [pid, *children(pid)]
        return {n for p in mine for n in networks(p) if any(children(q) for q in mine)} - own

    wait_until(lambda: len(found()) > 10, "the lab built", seconds=20)
    return found()


@pytest.mark.parametrize("argv", [["-m", "hopback.lab.netns"], ["-c", RUN]], ids=["lab", "parent"])
def test_nothing_is_left_when_somebody_is_killed_in_a_storm(argv: list[str]) -> None:
    names = sorted(p.name for p in Path("/run").glob("netns/*"))
    with subprocess.Popen(
        [sys.executable, *argv], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as victim:
        assert victim.stdin is not None
        victim.stdin.write(endless())
        victim.stdin.close()
        spaces = lab_of(victim.pid)
        assert held(spaces)
        victim.send_signal(signal.SIGKILL)
    wait_until(lambda: not held(spaces), "all processes of the lab gone", seconds=20)
    assert sorted(p.name for p in Path("/run").glob("netns/*")) == names


@pytest.mark.parametrize("written", [0, 1, -1])
def test_part_of_a_plan_is_from_somebody_who_is_gone(written: int) -> None:
    argv = [sys.executable, "-m", "hopback.lab.netns"]
    done = subprocess.run(argv, input=endless()[:written], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_time_limit_cuts_the_links() -> None:
    plan = designed(PASTE.read_text(), "two-link-loop", fix=None).plan
    live = plan.scenes[-1]
    sends = (live.sends[0], Send("late", live.sends[0].at, b"\xff" * 60, delay=3.0))
    scene = Scene(live.name, sends, live.before)
    short = replace(plan, scenes=(scene,), seconds=1.0)
    with pytest.raises(Refused, match="down"):
        NetnsRunner().run(short)

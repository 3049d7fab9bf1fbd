"""The keeper: it applies when told to, and undoes unless it is confirmed, whoever dies."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hopback.remedies.apply.ask import KEEPER, Kept, ask, settle
from hopback.remedies.apply.record import Part, Record, encode
from hopback.remedies.apply.store import ENVIRONMENT, Busy, Store
from tests.kernel.rig import wait_until
from tests.remedies.apply.conftest import DO, FAIL, UNDO, lines, record


def started(given: Record) -> Kept:
    kept = Kept(given)
    kept.go()
    return kept


def until(kept: Kept, store: Store, given: Record, state: str) -> Record:
    """The record once it is in this state."""
    while store.latest(given).state != state:
        assert kept.hear(), f"it ended {store.latest(given).state}"
    return store.latest(given)


def ended(kept: Kept, store: Store, given: Record) -> Record:
    while kept.hear():
        pass
    return store.latest(given)


def pid(kept: Kept) -> int:
    return kept._child.pid


def test_without_confirmation_it_is_undone(store: Store) -> None:
    given = record(within=0.05)
    last = ended(started(given), store, given)
    assert (last.state, last.why) == ("undone", "nobody confirmed it within 0.05 s")
    assert lines(last) == [(DO, False, 0), (UNDO, True, 0)]
    assert store.all_unfinished() == []


def test_confirmed_it_stays(store: Store) -> None:
    given = record()
    kept = started(given)
    until(kept, store, given, "pending")
    assert ask(store, given, "confirm").state == "confirmed"
    last = ended(kept, store, given)
    assert (last.state, lines(last)) == ("confirmed", [(DO, False, 0)])


def test_undone_when_asked(store: Store) -> None:
    given = record()
    kept = started(given)
    until(kept, store, given, "pending")
    assert ask(store, given, "undo").state == "undone"
    assert ended(kept, store, given).why == "as asked for"


def test_too_late_is_too_late(store: Store) -> None:
    given = record(within=0.01)
    ended(started(given), store, given)
    assert ask(store, given, "confirm").state == "undone"


def test_a_confirmed_fix_can_be_undone_later(store: Store) -> None:
    given = record()
    started(given)
    ask(store, given, "confirm")
    assert ask(store, given, "undo").state == "undone"
    assert [r.state for r in store.past()] == ["undone"]


def test_a_failing_command_ends_it_undone(store: Store) -> None:
    given = record(Part((DO, FAIL), (UNDO,)))
    last = ended(started(given), store, given)
    assert last.state == "undone"
    assert FAIL in last.why


def test_a_failing_undo_keeps_the_record(store: Store) -> None:
    given = record(Part((DO,), (FAIL,)), within=0.01)
    assert ended(started(given), store, given).state == "stuck"
    assert [r.state for r in store.all_unfinished()] == ["stuck"]
    assert ask(store, given, "confirm").state == "confirmed"
    assert store.all_unfinished() == []


def test_who_is_gone_before_go_has_done_nothing(store: Store) -> None:
    kept = Kept(record())
    kept.abandon()
    assert store.all_unfinished() == []
    assert store.past() == []


def test_one_at_a_time(store: Store) -> None:
    given = record(name="1")
    kept = started(given)
    until(kept, store, given, "pending")
    with pytest.raises(Busy):
        Kept(record(name="2"))
    with pytest.raises(Busy):
        settle(store, given, "undo", "")
    ask(store, given, "confirm")
    Kept(record(name="3")).abandon()


def test_told_to_end_it_undoes(store: Store) -> None:
    given = record()
    kept = started(given)
    until(kept, store, given, "pending")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        os.kill(pid(kept), number)
    last = ended(kept, store, given)
    assert (last.state, last.why) == ("undone", "hopback was told to end")


def test_it_has_a_session_of_its_own(store: Store) -> None:
    kept = Kept(record())
    assert os.getsid(pid(kept)) == pid(kept)
    kept.abandon()


def test_when_the_keeper_dies_somebody_else_can_undo(store: Store) -> None:
    given = record()
    kept = started(given)
    until(kept, store, given, "pending")
    os.kill(pid(kept), signal.SIGKILL)
    left = ended(kept, store, given)
    assert left.state == "pending"
    undone = ask(store, left, "undo")
    assert not store.socket(given.id).exists()
    assert (undone.state, lines(undone)[-1]) == ("undone", (UNDO, True, 0))


def test_when_the_starter_dies_it_goes_on(store: Store) -> None:
    given = record(within=0.2)
    code = (
        "import os, signal, sys\n"
        "from hopback.remedies.apply.ask import Kept\n"
        "from hopback.remedies.apply.record import decode\n"
        "kept = Kept(decode(sys.stdin.buffer.read())); kept.go(); kept.hear()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    starter = subprocess.run([sys.executable, "-c", code], input=encode(given), check=False)
    assert starter.returncode == -signal.SIGKILL
    wait_until(lambda: store.latest(given).state == "undone", "undone")


def test_a_reader_that_is_stuck_does_not_keep_it(store: Store) -> None:
    """A starter that was stopped never empties the pipe."""
    given = record(Part((DO,) * 5, (UNDO,)), within=0.01)
    ours, theirs = os.pipe()
    os.write(theirs, bytes(fcntl.fcntl(theirs, fcntl.F_GETPIPE_SZ)))
    keeper = subprocess.Popen([sys.executable, "-m", KEEPER], stdin=subprocess.PIPE, stdout=theirs)
    keeper.communicate(encode(given) + b"\ngo\n", timeout=30)
    os.close(ours)
    os.close(theirs)
    assert store.latest(given).state == "undone"


def test_a_place_that_cannot_be_written_is_told_before_anything_is_done(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT, "/dev/null/x")
    with pytest.raises(OSError, match="Not a directory"):
        Store().prepare()


def test_the_log_has_every_state_a_line_each(store: Store) -> None:
    given = record(within=0.01)
    ended(started(given), store, given)
    states = [
        line.split(b'"state":"')[1].split(b'"')[0] for line in store.log.read_bytes().splitlines()
    ]
    assert states == [b"applying", b"pending", b"undoing", b"undone"]
    assert store.log.stat().st_mode & 0o077 == 0


def test_a_log_that_was_cut_is_read_as_far_as_it_goes(store: Store) -> None:
    given = record(within=0.01)
    ended(started(given), store, given)
    with store.log.open("ab") as log:
        log.write(b'{"id":"zz","st')
    assert [r.id for r in store.past()] == [given.id]


def test_a_place_that_is_relative(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store.directory)
    monkeypatch.setenv(ENVIRONMENT, "here")
    near = Store()
    near.prepare()
    given = record(within=0.01)
    assert ended(started(given), near, given).state == "undone"


def test_an_id_is_no_path(store: Store, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(encode(record()))
    assert store.unfinished("../x") is None

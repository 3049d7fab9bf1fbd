"""Carrying out and taking back: what was begun is undone, whatever fails."""

from pathlib import Path

from msgspec.structs import replace

from hopback.findings import FixFile
from hopback.remedies.apply.record import Part, Ran, Record
from hopback.remedies.apply.store import Store
from hopback.remedies.apply.work import carry_out, take_back
from tests.remedies.apply.conftest import DO, FAIL, UNDO, lines, record


def carried_out(given: Record, store: Store) -> Record:
    return carry_out(given, store.save, lambda: False)


def test_all_commands_then_it_waits(store: Store) -> None:
    given = record(Part((DO, DO), (UNDO,)), Part((DO,), ()))
    done = carried_out(given, store)
    assert done.state == "pending"
    assert lines(done) == [(DO, False, 0)] * 3
    assert store.unfinished(done.id) == done


def test_every_command_is_written_down_before_it_runs(store: Store) -> None:
    seen: list[Record] = []
    carry_out(record(), seen.append, lambda: False)
    assert [[code for _, _, code in lines(r)] for r in seen] == [[], [None], [0], [0]]


def test_a_failure_half_way_undoes_what_was_begun(store: Store) -> None:
    given = record(Part((DO,), (UNDO,)), Part((DO, FAIL, DO), (UNDO, UNDO)), Part((DO,), (FAIL,)))
    failed = carried_out(given, store)
    assert failed.state == "applying"
    assert FAIL in failed.why
    undone = take_back(failed, failed.why, store.save)
    assert undone.state == "undone"
    assert lines(undone) == [
        *((DO, False, 0), (DO, False, 0), (FAIL, False, 1)),
        *[(UNDO, True, 0)] * 3,
    ]


def test_a_first_command_that_fails_leaves_nothing_to_undo(store: Store) -> None:
    failed = carried_out(record(Part((FAIL,), (UNDO,))), store)
    assert lines(take_back(failed, failed.why, store.save)) == [(FAIL, False, 1)]


def test_a_command_that_never_ended_may_have_had_its_effect(store: Store) -> None:
    cut = replace(record(), state="applying", ran=(Ran(0, False, 0, DO, 1),))
    assert (UNDO, True, 0) in lines(take_back(cut, "", store.save))


def test_the_last_part_is_undone_first(store: Store) -> None:
    done = carried_out(record(Part((DO,), (UNDO,)), Part((DO,), (DO,))), store)
    assert [line for line, undo, _ in lines(take_back(done, "", store.save)) if undo] == [DO, UNDO]


def test_told_to_end_between_two_commands(store: Store) -> None:
    stopped = carry_out(record(Part((DO, DO), (UNDO,))), store.save, iter([False, True]).__next__)
    assert stopped.why == "hopback was told to end"
    assert lines(stopped) == [(DO, False, 0)]


def test_an_undo_that_fails_is_named_kept_and_tried_again(store: Store) -> None:
    done = carried_out(record(Part((DO,), (UNDO, FAIL, UNDO))), store)
    stuck = take_back(done, "nobody confirmed it", store.save)
    assert stuck.state == "stuck"
    assert f"“{FAIL}” failed" in stuck.why
    assert [code for _, undo, code in lines(stuck) if undo] == [0, 1, 0]
    assert store.unfinished(stuck.id) == stuck
    again = take_back(stuck, "as asked for", store.save)
    assert [line for line, undo, _ in lines(again) if undo] == [UNDO, FAIL, UNDO, FAIL]


def test_files_are_there_for_the_commands_and_gone_afterwards(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "new" / "rules.nft"
    part = Part((f"bridge -batch {path}",), (UNDO,), (FixFile(str(path), ""),))
    done = carried_out(record(part), store)
    assert (done.state, path.exists()) == ("pending", True)
    assert take_back(done, "", store.save).state == "undone"
    assert not path.exists()


def test_a_file_of_somebody_else_is_left_alone(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "rules.nft"
    path.write_text("theirs")
    part = Part((DO,), (UNDO,), (FixFile(str(path), "ours"),))
    failed = carried_out(record(part), store)
    assert failed.why == f"{path}: is there already, and says something else"
    assert lines(take_back(failed, "", store.save)) == []
    assert path.read_text() == "theirs"


def test_a_file_that_was_there_stays(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "rules.nft"
    path.write_text("ours")
    part = Part((DO,), (UNDO,), (FixFile(str(path), "ours"),))
    done = carried_out(record(part), store)
    assert (done.state, take_back(done, "", store.save).state) == ("pending", "undone")
    assert path.read_text() == "ours"

"""A fix on the running kernel: kept if confirmed, else undone, whatever dies."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hopback.findings import FixFile
from hopback.remedies.apply import commands
from hopback.remedies.apply.ask import Kept, ask
from hopback.remedies.apply.record import Part, Record
from hopback.remedies.apply.store import ENVIRONMENT, Store
from hopback.sources.live.system import ids
from tests.kernel.astray import BRIDGE, GUEST, HOPBACK, TAP, Astray, Terminal

pytestmark = pytest.mark.kernel


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Astray]:
    with Astray(tmp_path / "state") as made:
        yield made


def on_terminal(host: Astray, *words: str, within: str = "50s") -> Terminal:
    """``hopback fix --apply`` on a terminal, at the question whether to apply."""
    argv = (HOPBACK, "fix", "live", host.finding, "--apply", "--confirm-within", within)
    terminal = Terminal((*argv, *words, *host.netns), host.environment)
    if "--yes" not in words:
        terminal.expect("Apply it? [y/N]:")
    return terminal


def test_confirmed_it_stays(host: Astray) -> None:
    code, said, _ = host.apply()
    assert (code, host.is_pinned()) == (0, True)
    assert "APPLIED  sticky_entry" in said
    (record,) = host.records()
    assert f"$ hopback fix --confirm {record['id']}" in said
    code, said, _ = host.fix("--confirm", record["id"])
    assert (code, said.split()[0]) == (0, "CONFIRMED")
    assert host.is_pinned()
    (record,) = host.records()
    assert record["state"] == "confirmed"
    assert [(r["command"], r["code"]) for r in record["ran"]] == [(record["commands"][0], 0)]


def test_not_confirmed_it_is_undone(host: Astray) -> None:
    assert host.apply(within="1s")[0] == 0
    record = host.wait_for("undone")
    assert record["why"] == "nobody confirmed it within 1 s"
    assert host.entry() is None
    assert host.fix("--confirm", record["id"])[0] == 1, "too late"


def test_undone_at_once_when_asked(host: Astray) -> None:
    host.apply()
    assert host.fix("--undo", host.records()[-1]["id"])[0] == 0
    assert host.entry() is None


def test_enter_on_the_terminal_confirms(host: Astray) -> None:
    terminal = on_terminal(host)
    assert not host.is_pinned()
    terminal.type("y\n")
    terminal.expect("Enter keeps it")
    assert host.is_pinned()
    terminal.type("\n")
    assert terminal.code() == 0
    assert "CONFIRMED" in terminal.shown
    assert host.is_pinned()


def test_typed_ahead_is_no_confirmation(host: Astray) -> None:
    terminal = on_terminal(host, within="1s")
    terminal.type("y\n\n\n")
    assert terminal.code() == 1
    assert "UNDONE" in terminal.shown
    assert host.entry() is None


def test_no_is_no(host: Astray) -> None:
    terminal = on_terminal(host)
    terminal.type("n\n")
    assert terminal.code() == 1
    assert host.records() == []


def test_an_interrupt_undoes_at_once(host: Astray) -> None:
    terminal = on_terminal(host, "--yes")
    terminal.expect("Enter keeps it")
    terminal.type("\x03")
    assert terminal.code() == 1
    assert "UNDONE" in terminal.shown
    assert host.entry() is None


def test_killed_it_is_undone(host: Astray) -> None:
    terminal = on_terminal(host, "--yes", within="2s")
    terminal.expect("Enter keeps it")
    os.kill(terminal.pid, signal.SIGKILL)
    assert terminal.code() == -signal.SIGKILL
    assert host.wait_for("undone")["why"].startswith("nobody confirmed")
    assert host.entry() is None


def test_a_lost_connection_undoes(host: Astray) -> None:
    terminal = on_terminal(host, "--yes", within="2s")
    terminal.expect("Enter keeps it")
    terminal.hang_up()
    _, status = os.waitpid(terminal.pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGHUP
    assert host.wait_for("undone")["why"].startswith("nobody confirmed")
    assert host.entry() is None


def test_when_the_keeper_is_killed_the_other_undoes(host: Astray) -> None:
    terminal = on_terminal(host, "--yes")
    terminal.expect("Enter keeps it")
    os.kill(terminal.child(), signal.SIGKILL)
    assert terminal.code() == 1
    assert host.records()[-1]["why"] == "the process that kept it has died"
    assert host.entry() is None


def test_when_both_are_killed_the_next_one_tells(host: Astray) -> None:
    terminal = on_terminal(host, "--yes")
    terminal.expect("Enter keeps it")
    keeper = terminal.child()
    os.kill(terminal.pid, signal.SIGKILL)
    os.kill(keeper, signal.SIGKILL)
    terminal.code()
    (record,) = host.records()
    code, _, errors = host.apply()
    assert code == 1
    assert f"--undo {record['id']}" in errors
    assert host.fix("--undo", record["id"])[0] == 0
    assert host.entry() is None


def test_a_second_time_there_is_nothing_to_do(host: Astray) -> None:
    host.apply()
    code, _, errors = host.apply()
    assert code == 1
    assert "neither confirmed nor undone" in errors
    host.fix("--confirm", host.records()[-1]["id"])
    code, _, errors = host.apply()
    assert code == 0
    assert "in place already: nothing to do" in errors
    assert len(host.records()) == 1


def test_what_changed_while_it_asked_is_named(host: Astray) -> None:
    terminal = on_terminal(host)
    host.bridge(f"fdb replace {GUEST} dev {TAP} master static")
    terminal.type("y\n")
    assert terminal.code() == 1
    shown = " ".join(terminal.shown.split())
    assert "nothing was done: this host is not what the plan was made from" in shown
    assert f"was “{GUEST} dev {host.uplink} master {BRIDGE}”" in shown
    assert f"is “{GUEST} dev {TAP} master {BRIDGE} static”" in shown
    assert host.entry() == (TAP, False)
    assert host.records() == []


def test_an_undo_that_fails_is_told_and_kept(host: Astray) -> None:
    host.apply()
    host.bridge(f"fdb del {GUEST} dev {TAP} master")
    name = host.records()[-1]["id"]
    code, said, _ = host.fix("--undo", name)
    assert code == 5
    assert said.startswith("NOT UNDONE")
    assert "fdb del" in said
    (record,) = host.records()
    assert (record["state"], record["ran"][-1]["code"]) == ("stuck", 255)
    host.lead_astray()
    assert host.apply()[0] == 1, "not before somebody has looked at it"
    assert host.fix("--confirm", name)[0] == 0
    assert host.apply()[0] == 0


@pytest.fixture
def store(host: Astray, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv(ENVIRONMENT, host.environment[ENVIRONMENT])
    made = Store()
    made.prepare()
    return made


def kept(host: Astray, *parts: Part) -> tuple[Kept, Record]:
    """Commands of the test's own in the hands of a keeper."""
    record = Record(
        id="0a",
        state="ready",
        at=1,
        host="h",
        boot_id=ids()[1],
        uid=0,
        user="root",
        check="uplink-echo",
        subject=host.uplink,
        fix="sticky_entry",
        parts=parts,
        within=50.0,
    )
    keeper = Kept(record)
    keeper.go()
    return keeper, record


def test_half_a_fix_is_undone(host: Astray, store: Store) -> None:
    pin = f"bridge -n {host.space} fdb replace {GUEST} dev {TAP} master static sticky"
    unpin = f"bridge -n {host.space} fdb del {GUEST} dev {TAP} master"
    missing = f"bridge -n {host.space} fdb replace {GUEST} dev fxnone master"
    keeper, record = kept(host, Part((pin,), (unpin,)), Part((missing,), ("ip frob",)))
    while keeper.hear():
        pass
    last = store.latest(record)
    assert last.state == "undone"
    assert "fxnone" in last.why
    assert host.entry() is None


@pytest.mark.kernel("nft")
def test_a_ruleset_comes_with_its_file(host: Astray, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "rules.nft"
    nft = f"ip netns exec {host.space} nft"
    rules = FixFile(str(path), "create table bridge hopback\nadd chain bridge hopback out\n")
    part = Part((f"{nft} -f {path}",), (f"{nft} delete table bridge hopback",), (rules,))
    keeper, record = kept(host, part)
    while store.latest(record).state != "pending":
        assert keeper.hear(), store.latest(record).why
    assert "table bridge hopback" in commands.run(f"{nft} list tables").output
    assert ask(store, record, "undo").state == "undone"
    assert "table bridge hopback" not in commands.run(f"{nft} list tables").output
    assert not path.exists()


def test_a_snapshot_of_this_host_may_be_applied_to_it(host: Astray, tmp_path: Path) -> None:
    if None in ids():
        pytest.skip("this machine has no machine-id")
    taken = str(tmp_path / "host.hb")
    subprocess.run([HOPBACK, "collect", "-o", taken], check=True, timeout=60)
    words = (taken, host.finding, "--apply", "--yes")
    code, _, errors = host.fix(*words)
    assert (code, host.is_pinned()) == (0, True), errors
    host.fix("--confirm", host.records()[-1]["id"])
    code, _, errors = host.fix(*words)
    assert code == 0
    assert "in place already" in errors


@pytest.mark.kernel("setpriv")
def test_missing_privilege_is_named(host: Astray) -> None:
    words = ("fix", "live", host.finding, "--apply", "--yes", *host.netns)
    done = subprocess.run(
        ["setpriv", "--bounding-set=-net_admin", HOPBACK, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=host.environment,
    )
    assert done.returncode == 77
    assert (
        done.stderr.splitlines()[-1]
        == "hopback: applying it needs CAP_NET_ADMIN: sudo hopback fix …"
    )
    assert host.records() == []

"""``hopback fix``: the plans it prints, and what it refuses. Applying is in tests/kernel."""

import shutil
from pathlib import Path

import click
import msgspec
import pytest

from hopback.cli.fix import command
from hopback.remedies.apply.record import Part, Record
from hopback.remedies.apply.store import ENVIRONMENT, Store
from hopback.render.fix_json_v1 import FixesV1
from hopback.sources.live.system import ids
from tests.cli.conftest import Run
from tests.reconstructions import PASTE, ROOT, healthy_ring

PIN = "bridge fdb replace fa:16:3e:56:ea:fa dev tap0b5f208b-76 master static sticky"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "state"))
    return Store()


def document(stdout: str) -> FixesV1:
    decoded = msgspec.json.decode(stdout, type=FixesV1)
    assert msgspec.json.decode(msgspec.json.encode(decoded)) == msgspec.json.decode(stdout)
    return decoded


def test_a_plan_is_printed_and_nothing_is_done(run: Run, store: Store) -> None:
    result = run("fix", PASTE)
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[0].startswith("What leaves brq5dddda71-76 by bond0.2222 comes in again")
    assert "uplink-echo:bond0.2222" in lines
    assert f"    $ {PIN}" in lines
    assert lines[lines.index("    to undo:") + 1].startswith("    $ bridge fdb del ")
    assert max(len(line) for line in lines if "$ " not in line) <= 80
    assert not store.directory.exists()


def test_json_is_one_document_of_version_one(run: Run) -> None:
    result = run("fix", "-j", PASTE)
    told = document(result.stdout)
    assert (result.exit_code, told.schema, told.verdict) == (1, "hopback.fix/1", "comes-back")
    assert (told.hosts, told.records) == (("cmp12",), ())
    (plan,) = told.plans
    assert (plan.check, plan.subject, plan.host) == ("uplink-echo", "bond0.2222", "cmp12")
    assert plan.because
    (fix,) = plan.fixes
    assert (fix.name, fix.commands, fix.proved) == ("sticky_entry", (PIN,), True)


def test_one_finding_by_its_name(run: Run) -> None:
    whole = run("fix", PASTE).stdout
    assert run("fix", PASTE, "uplink-echo").stdout == whole
    assert run("fix", PASTE, "fdb-misplaced:fa:16:3e:56:ea:fa").stdout == whole
    unknown = run("fix", PASTE, "fdb-misplaced:other")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert "fixes are known for: uplink-echo:bond0.2222" in unknown.stderr


def test_nothing_to_fix(run: Run) -> None:
    result = run("fix", "-", stdin=healthy_ring())
    assert (result.exit_code, result.stdout) == (0, "There is nothing to fix.\n")
    assert document(run("fix", "-", "-j", stdin=healthy_ring()).stdout).plans == ()


def test_found_and_no_fix_known(run: Run) -> None:
    text = "kvm1# dmesg\n[1.0] br0: received packet on eth0 with own address as source address\n"
    result = run("fix", "-", stdin=text)
    assert result.exit_code == 1
    assert result.stdout.startswith("No fix is known for what was found.\n")


def test_what_cannot_be_read(run: Run, tmp_path: Path) -> None:
    result = run("fix", "-j", tmp_path / "absent")
    assert result.exit_code == 3
    assert document(result.stdout).problems[0].message == "No such file or directory"
    assert run("fix", tmp_path / "absent", "--apply", "-y").exit_code == 3


@pytest.mark.parametrize(
    "words",
    [
        ("--yes",),
        ("--fix", "sticky_entry"),
        ("--apply",),
        ("--apply", "--yes", "--confirm-within", "soon"),
        ("--apply", "--yes", "--confirm-within", "0s"),
        ("--apply", "--yes", "--confirm-within", "25h"),
        ("--list",),
        ("--confirm", "0a"),
    ],
)
def test_usage(run: Run, words: tuple[str, ...]) -> None:
    result = run("fix", PASTE, *words)
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_finding_without_its_source_says_what_is_meant(run: Run) -> None:
    result = run("fix", "uplink-echo:eth0")
    assert result.exit_code == 2
    assert "hopback fix live uplink-echo:eth0" in result.stderr


def test_json_does_not_ask(run: Run) -> None:
    assert "--yes" in run("fix", PASTE, "--apply", "-j").stderr


def test_a_paste_does_not_tell_whether_it_is_of_this_host(run: Run, store: Store) -> None:
    result = run("fix", PASTE, "--apply", "--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "does not tell of which machine it is" in result.stderr
    assert store.all_unfinished() == []


def kept(store: Store, state: str, boot: str | None, name: str = "0a") -> None:
    store.prepare()
    made = Record(
        id=name,
        state=state,  # type: ignore[arg-type]
        at=1_800_000_000_000_000_000,
        host="h",
        boot_id=boot,
        uid=0,
        user="ann",
        check="uplink-echo",
        subject="eth0",
        fix="sticky_entry",
        parts=(Part(("ip -V",), ("ip -V",)),),
        within=60.0,
    )
    store.save(made)


def test_list(run: Run, store: Store) -> None:
    assert run("fix", "--list").stdout == "No fix was ever applied here by this user.\n"
    kept(store, "confirmed", ids()[1])
    kept(store, "confirmed", "another boot", "0b")
    assert run("fix", "--list").stdout == (
        "0a  2027-01-15 08:00:00Z  ann  confirmed\n"
        "  sticky_entry for uplink-echo:eth0\n"
        "0b  2027-01-15 08:00:00Z  ann  confirmed, undone by a reboot\n"
        "  sticky_entry for uplink-echo:eth0\n"
    )
    kept(store, "pending", ids()[1], "0c")
    assert "nobody keeps it" in run("fix", "--list").stdout
    with store.lock():
        assert "nobody keeps it" not in run("fix", "--list").stdout
    assert [r.id for r in document(run("fix", "--list", "-j").stdout).records] == ["0a", "0b", "0c"]


def test_what_was_applied_before_a_reboot_is_gone(run: Run, store: Store) -> None:
    kept(store, "pending", "another boot")
    confirmed, undone = (run("fix", word, "0a") for word in ("--confirm", "--undo"))
    assert (confirmed.exit_code, undone.exit_code) == (1, 0)
    assert "rebooted" in confirmed.stderr


def test_a_record_without_its_keeper_is_confirmed_or_undone(run: Run, store: Store) -> None:
    kept(store, "pending", ids()[1])
    result = run("fix", "--confirm", "0a")
    assert (result.exit_code, result.stdout.split()[0]) == (0, "CONFIRMED")
    assert run("fix", "--undo", "0a").stdout.split()[0] == "UNDONE"
    assert document(run("fix", "--undo", "0a", "-j").stdout).records[0].state == "undone"


def test_an_unknown_id(run: Run, store: Store) -> None:
    kept(store, "pending", ids()[1])
    result = run("fix", "--confirm", "ff")
    assert result.exit_code == 2
    assert "waiting: 0a" in result.stderr


def test_completion_knows_checks_and_ids(store: Store) -> None:
    kept(store, "pending", ids()[1])
    context = click.Context(command)
    params = {param.name: param for param in command.params}
    assert [c.value for c in params["finding"].shell_complete(context, "uplink")] == ["uplink-echo"]
    assert [c.value for c in params["confirm"].shell_complete(context, "0")] == ["0a"]


def test_what_is_for_another_host_is_not_run_here(run: Run, tmp_path: Path, store: Store) -> None:
    """A ring of two directors has its fixes on one of them, and this is the other."""
    folders = [tmp_path / name for name in "ab"]
    for folder, name in zip(folders, "ab", strict=True):
        shutil.copytree(ROOT / f"tests/fixtures/vm61-director-{name}", folder)
    machine, boot = ids()
    (folders[0] / "hostnamectl.txt").write_text(
        f"   Machine ID: {machine}\n      Boot ID: {boot}\n"
    )
    words = ("ipvs-loop", "--evidence", folders[1], "--apply", "--yes")
    result = run("fix", folders[0], *words)
    assert result.exit_code == 1
    assert "the fixes are for b, not for this host: run it there" in result.stderr
    assert not list(store.directory.glob("*.json"))

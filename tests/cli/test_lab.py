"""``hopback lab``: what it builds, what it prints, the code it ends with, and what it leaves."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hopback.lab.netns.isolate import facilities
from hopback.render.lab_json_v1 import LabV1
from tests.cli.conftest import Run
from tests.kernel.rig import wait_until
from tests.reconstructions import PASTE, ROOT, healthy_paste

TAP, UPLINK = "tap0b5f208b-76", "bond0.2222"
LIBVIRT = ROOT / "tests/fixtures/libvirt"
HOPBACK = Path(sys.executable).with_name("hopback")


def document(stdout: str) -> LabV1:
    decoded = msgspec.json.decode(stdout, type=LabV1)
    assert msgspec.json.decode(msgspec.json.encode(decoded)) == msgspec.json.decode(stdout)
    return decoded


def test_plan_is_printed_with_reasons_and_nothing_is_done(run: Run) -> None:
    result = run("lab", PASTE, "--plan", "--fix", "sticky_entry")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "The lab of instance-00000347 (fa:16:3e:56:ea:fa): 10 namespaces, 12 scenes."
    )
    assert f"  ip -n host link set dev {TAP} master brq5dddda71-76 up" in lines
    pin = f"  bridge -n host fdb replace fa:16:3e:56:ea:fa dev {TAP} master static sticky"
    assert lines[lines.index(pin) + 1] == "    # the remedy"
    assert "  → the server sends OFFER on the DISCOVER" in lines
    assert f"  - beyond {UPLINK} is a reflector: the table has the guest out there" in lines


def test_shell_needs_a_terminal_and_namespaces(run: Run) -> None:
    assert "--in netns" in run("lab", PASTE, "--keep", "--in", "uml").stderr
    assert "needs a terminal" in run("lab", PASTE, "--keep").stderr


def test_guest_has_to_be_named_where_there_are_several(run: Run) -> None:
    text = PASTE.read_text()
    other = (
        "root@cmp12:~# virsh domiflist other\n"
        " Interface        Type     Source           Model    MAC\n"
        "-------------------------------------------------------------\n"
        " tap0e6de0ae-f1   bridge   brq5dddda71-76   virtio   fa:16:3e:00:00:02\n"
    )
    astray = run("lab", "-", "--plan", stdin=text + other)
    assert astray.exit_code == 0, "the one gone astray needs no name"
    healthy = run("lab", "-", "--plan", stdin=healthy_paste() + other)
    assert healthy.exit_code == 2
    assert "say which guest (--to)" in healthy.stderr
    assert "fa:16:3e:00:00:02" in healthy.stderr


def test_nobody_known_is_a_usage_error(run: Run) -> None:
    assert run("lab", "-", stdin="root@h:~# uname -r\n6.1.0\n").exit_code == 2


def test_what_cannot_be_built_is_one_line_and_exit_code_3(run: Run) -> None:
    ports = "".join(f"\t\t\t\t\t\t\ttapx{n}\n" for n in range(300))
    anchor = "\t\t\t\t\t\t\ttap0e6de0ae-f1\n"
    text = PASTE.read_text().replace(anchor, anchor + ports)
    result = run("lab", "-", "--plan", stdin=text)
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1].startswith("hopback: brq5dddda71-76 has 308 ports")
    assert run("lab", "-", "--plan", "--partial", stdin=text).exit_code == 0


def test_missing_user_mode_kernel_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOPBACK_UML", str(tmp_path))
    result = run("lab", PASTE, "--in", "uml")
    assert result.exit_code == 77
    (line,) = result.stderr.splitlines()
    assert "apt-get install user-mode-linux" in line


@pytest.mark.kernel("tc", "setpriv")
def test_missing_privilege_says_what_to_do() -> None:
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", HOPBACK, "lab", PASTE, "--in", "netns"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 77
    (line,) = done.stderr.splitlines()
    assert "sudo" in line
    assert "--in uml" in line


@pytest.mark.kernel("tc")
def test_json_holds_both_journeys_and_the_remedy(run: Run) -> None:
    options = ("--in", "netns", "--fix", "sticky_entry", "-j")
    result = run("lab", PASTE, *options)
    assert result.exit_code == 0
    told = document(result.stdout)
    assert (told.outcome, told.differences, told.deaf) == ("reproduced", (), ())
    (assumed,) = told.assuming
    assert (assumed.device, assumed.neighbour) == (UPLINK, "reflector")
    scenes = [(s.scene, [(m.message, m.lost_at) for m in s.messages]) for s in told.observed]
    assert scenes[2] == ("live", [("DISCOVER", None), ("OFFER", UPLINK)])
    assert [scene for scene, _ in scenes] == [s.scene for s in told.predicted]
    live = told.observed[2]
    assert live.table_after is not None
    assert ("fa:16:3e:56:ea:fa", UPLINK) in {(e.mac, e.device) for e in live.table_after}
    assert told.fix is not None
    assert (told.fix.foretold, told.fix.mended) == (True, True)


@pytest.mark.kernel("tc")
def test_text_shows_the_model_beside_the_kernel(run: Run) -> None:
    result = run("lab", PASTE, "--in", "netns")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == f"REPRODUCED  assuming a reflector beyond {UPLINK}"
    assert lines[1] == f"The OFFER is lost at {UPLINK}, as the model says."
    assert f"    ✗ lost at {UPLINK:<26}✗ lost at {UPLINK}" in lines
    assert max(map(len, lines)) <= 80


@pytest.mark.kernel("tc", "nft")
def test_json_tells_how_the_guest_s_own_stack_fares(run: Run) -> None:
    options = ("--to", "vml-k1", "--in", "netns", "--fix", "port_filter", "-j")
    result = run("lab", LIBVIRT, *options)
    assert result.exit_code == 0
    told = document(result.stdout)
    detection = told.duplicate_detection
    assert detection is not None
    assert (detection.nonce, detection.why) == (False, "nothing recorded tells")
    (one,) = detection.observed
    assert (one.phase, one.returned, one.heard) == ("dadfailed", True, True)
    assert [hop.device for hop in detection.predicted[0].hops] == ["vnet7", "vnet7", "the guest"]
    assert detection.fixed_observed is not None
    assert [d.phase for d in detection.fixed_observed] == ["preferred"]
    assert [s.scene for s in told.observed] == [s.scene for s in told.predicted]
    assert told.fix is not None
    assert (told.fix.name, told.fix.foretold, told.fix.mended) == ("port_filter", True, True)


@pytest.mark.kernel("tc", "nft")
def test_text_names_the_rule_and_what_it_heals_or_hides(run: Run) -> None:
    healed = run("lab", LIBVIRT, "--to", "vml-k2", "--in", "netns")
    assert healed.exit_code == 0
    assert "dropped by nat O-vnet8-mac: -A O-vnet8-mac -s 52:54:00:77:00:22" in healed.stdout
    vacuous = run("lab", LIBVIRT, "--to", "vml-k3", "--in", "netns").stdout
    assert "DAD       fe80::5054:ff:fe77:23 ok, but nobody hears it ask" in vacuous
    failed = run("lab", LIBVIRT, "--to", "vml-k1", "--in", "netns", "--enhanced-dad", "off")
    assert failed.exit_code == 1
    assert "fails (dadfailed), as the model says" in failed.stdout
    assert "hairpin is on" in failed.stdout
    assert max(map(len, failed.stdout.splitlines())) <= 80


@pytest.mark.kernel("nft")
def test_kernel_that_has_what_is_needed_is_chosen(run: Run) -> None:
    """Where the user-mode one cannot load the filters of IP, the running one may."""
    if "nf_tables_ip" not in facilities():
        pytest.skip("needs nf_tables")
    text = PASTE.read_text()
    text += "root@cmp12:~# sysctl net.bridge\nnet.bridge.bridge-nf-call-iptables = 1\n"
    rules = ("*filter", ":FORWARD ACCEPT [0:0]", "-A FORWARD -p udp --dport 9 -j DROP", "COMMIT")
    text += "root@cmp12:~# iptables-save\n" + "".join(f"{rule}\n" for rule in rules)
    shown = run("lab", "-", "--plan", stdin=text)
    assert shown.exit_code == 0
    assert "udp dport 9 drop" in shown.stdout


def test_plan_shows_filters_and_settings_as_they_are_typed(run: Run) -> None:
    shown = run("lab", LIBVIRT, "--to", "vml-k1", "--in", "netns", "--plan", "--partial").stdout
    assert "  ip netns exec host nft 'add table bridge nat'" in shown
    assert "  ip netns exec guest sysctl -w net/ipv6/conf/nic0/enhanced_dad=0" in shown
    assert "  → the guest gets the address fe80::5054:ff:fe77:21" in shown


@pytest.mark.kernel("tc")
def test_ring_is_not_mended_and_that_is_said(run: Run) -> None:
    result = run(
        "lab", PASTE, "--in", "netns", "--uplink", "two-link-loop", "--fix", "sticky_entry"
    )
    assert result.exit_code == 1
    assert "sticky_entry does not mend it, as the model says." in result.stdout


@pytest.mark.kernel("tc")
def test_interrupt_ends_it_all() -> None:
    argv = [str(HOPBACK), "lab", str(PASTE), "--in", "netns", "--uplink", "two-link-loop"]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(lambda: bool(children.read_text()), "the lab's first process", seconds=30)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in errors


@pytest.mark.kernel("tc")
def test_shell_is_inside_and_ends_it_all() -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.environ["SHELL"] = "/bin/sh"
        os.execv(HOPBACK, ["hopback", "lab", str(PASTE), "--in", "netns", "--keep"])
    shown = b""
    asked = False
    with contextlib.suppress(OSError):  # a terminal whose other side is gone
        while data := os.read(terminal, 4096):
            shown += data
            if b"Not rebuilt" in shown and not asked:
                os.write(terminal, b"bridge -n host fdb show br brq5dddda71-76; exit\n")
                asked = True
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    assert f"fa:16:3e:56:ea:fa dev {UPLINK} master brq5dddda71-76".encode() in shown


@pytest.mark.parametrize("words", [("--to", ""), ("--server", ""), ("--json",)])
def test_what_cannot_be_meant_is_refused(run: Run, words: tuple[str, ...]) -> None:
    """An unset variable must not choose for the user, and a plan has no JSON."""
    assert run("lab", PASTE, "--plan", *words).exit_code == 2

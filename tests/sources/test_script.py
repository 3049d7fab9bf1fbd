"""The collecting script: plain sh, harmless, and what it prints is a paste hopback reads."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Bridge, BridgePort, Fdb, Link, Sysctl
from hopback.sources.live import read
from hopback.sources.paste import read_paste
from hopback.sources.script import SCRIPT
from tests.sources.live.conftest import Lab, lab

__all__ = ["lab"]

SHELLS = (["dash"], ["busybox", "sh"], ["bash", "--posix"])


def shell(words: Sequence[str]) -> Sequence[str]:
    done = subprocess.run([*words, "-c", ":"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"{words[0]} does not run here")
    return words


@pytest.fixture(params=SHELLS, ids=lambda words: words[0])
def sh(request: pytest.FixtureRequest) -> Sequence[str]:
    try:
        return shell(request.param)
    except FileNotFoundError:
        pytest.skip(f"{request.param[0]} is not installed")


def collect(sh: Sequence[str], netns: str = "", path: str | None = None) -> str:
    """The script's output, fed to the shell as ssh would feed it."""
    words = ["ip", "netns", "exec", netns, *sh, "-s"] if netns else [*sh, "-s"]
    done = subprocess.run(
        words,
        input=SCRIPT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": path or os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def names(found: Snapshot, kind: type[Link | Bridge | BridgePort]) -> set[tuple[str, str]]:
    return {(row.name, row.netns) for row in found.table(kind).rows}


def test_it_is_plain_sh(sh: Sequence[str]) -> None:
    """Each shell can parse it."""
    subprocess.run([*sh, "-n"], input=SCRIPT, text=True, check=True, timeout=10)


def test_of_proxmox_guests_it_shows_the_plugs_alone(sh: Sequence[str], tmp_path: Path) -> None:
    folder = tmp_path / "qemu-server"
    folder.mkdir()
    net = "net0: virtio=BC:24:11:00:00:{},bridge=vmbr0\n"
    settings = f"cipassword: secret\nname: web\n{net.format(31)}[old]\n{net.format(99)}"
    (folder / "104.conf").write_text(settings)
    text = SCRIPT.replace("/etc/pve", str(tmp_path))
    done = subprocess.run([*sh, "-s"], input=text, capture_output=True, text=True, check=True)
    assert "secret" not in done.stdout
    shown = done.stdout.replace(str(tmp_path), "/etc/pve")
    (found,) = read_paste([line.encode() for line in shown.splitlines(keepends=True)], "collected")
    nics = [(n.guest, n.target, n.source) for n in found.guest_nics.rows if n.source == "vmbr0"]
    assert nics == [("web", "tap104i0", "vmbr0")]


@pytest.mark.kernel
def test_its_output_is_read_as_a_snapshot(lab: Lab, sh: Sequence[str]) -> None:
    """The same devices, ports and entries as the live source gives."""
    # the named namespaces come last: here only the one the script runs in is compared
    text = collect(sh, lab.host).partition("# ip netns exec ")[0]
    (found,) = read_paste([line.encode() for line in text.splitlines(keepends=True)], "collected")
    live = read((lab.host,))
    assert found.host == os.uname().nodename
    for kind in (Link, Bridge, BridgePort):
        assert names(found, kind) == {(name, "") for name, _ in names(live, kind)}
    # brctl showmacs, which tells the same entries, only numbers the ports
    own = {(r.mac, r.dev) for r in found.fdb.rows if r.dev is not None and not r.on_device}
    assert own == {(r.mac, r.dev) for r in live.fdb.rows if not r.on_device}
    assert found.table(Fdb).complete("")
    settings = {r.key: r.value for r in found.table(Sysctl).rows if r.netns == ""}
    for row in live.table(Sysctl).rows:
        assert settings.get(row.key) == row.value


@pytest.mark.kernel
def test_it_goes_into_named_namespaces(lab: Lab, sh: Sequence[str]) -> None:
    """Their rows bear their names, settings included."""
    text = collect(sh)
    (found,) = read_paste([line.encode() for line in text.splitlines(keepends=True)], "collected")
    assert "e0" in {row.name for row in found.links.rows if row.netns == lab.guest}
    values = {(r.netns, r.key): r.value for r in found.sysctls.rows}
    assert values[lab.host, "net.ipv6.conf.default.accept_dad"] == "0"
    assert values[lab.guest, "net.ipv6.conf.default.accept_dad"] == "1"


def test_complaints_are_marked(tmp_path: Path, sh: Sequence[str]) -> None:
    """A tool that fails writes no line that could be taken for data."""
    tool = tmp_path / "bridge"
    tool.write_text("#!/bin/sh\necho fe:54:00:77:00:21 dev vnet7\necho Cannot open >&2\nexit 1\n")
    tool.chmod(0o755)
    lines = collect(sh, path=f"{tmp_path}{os.pathsep}{os.environ['PATH']}").splitlines()
    at = lines.index(f"{os.uname().nodename}# bridge -s fdb show")
    assert sorted(lines[at + 1 : at + 3]) == ["!! Cannot open", "fe:54:00:77:00:21 dev vnet7"]
    assert "Cannot open" not in lines


def test_it_needs_no_tool_at_all(tmp_path: Path, sh: Sequence[str]) -> None:
    """Without iproute2, brctl and virsh it still ends well and names the host."""
    for name in ("sh", "sed", "grep", "uname", "cat", "readlink"):
        (tmp_path / name).write_text(f'#!/bin/sh\nexec /bin/busybox {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    if not Path("/bin/busybox").exists():
        pytest.skip("busybox is not installed in /bin")
    isolated = SCRIPT.replace("PATH=$PATH:/usr/sbin:/sbin\n", "")
    program = shutil.which(sh[0])
    assert program is not None
    done = subprocess.run(
        [program, *sh[1:], "-s"],
        input=isolated,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert f"{os.uname().nodename}# uname -a" in done.stdout
    assert "# ip " not in done.stdout


@pytest.mark.parametrize(
    ("tool", "backend"),
    [("iptables-save", "xtables-legacy-multi"), ("ebtables-save", "ebtables-legacy-save")],
)
def test_a_legacy_filter_tool_is_not_run_without_its_tables(
    tmp_path: Path, sh: Sequence[str], tool: str, backend: str
) -> None:
    """Running it would load the module."""
    names = Path("/proc/net/ip_tables_names")
    if names.exists() and names.read_text():
        pytest.skip("this host has legacy tables")
    (tmp_path / backend).write_text("#!/bin/sh\necho HAS RUN\n")
    (tmp_path / backend).chmod(0o755)
    (tmp_path / tool).symlink_to(tmp_path / backend)
    text = collect(sh, path=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert "HAS RUN" not in text
    assert f"!! {tool} was not run: it might load a kernel module" in text.splitlines()


DIRECTOR = """#!/bin/sh
case "$*" in
-Ln) echo "IP Virtual Server version 1.2.1 (size=4096)"
    echo "Prot LocalAddress:Port Scheduler Flags"
    echo "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn"
    echo "TCP  192.0.2.100:80 rr" ;;
esac
"""


def test_ipvs_is_asked_only_where_it_is(tmp_path: Path, sh: Sequence[str]) -> None:
    """Running ipvsadm would load the module, so its file has to be there before."""
    (tmp_path / "ipvsadm").write_text(DIRECTOR)
    (tmp_path / "ipvsadm").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    there = Path("/proc/net/ip_vs").exists()
    assert ("ipvsadm" in collect(sh, path=path)) == there
    (tmp_path / "table").touch()
    script = SCRIPT.replace("/proc/net/ip_vs ", f"{tmp_path}/table ")
    done = subprocess.run(
        [*sh, "-s"], input=script, capture_output=True, text=True, check=True, env={"PATH": path}
    )
    (found,) = read_paste([line.encode() for line in done.stdout.splitlines(True)], "collected")
    here = [row.address for row in found.ipvs_services.rows if not row.netns]
    assert here == ["192.0.2.100"]
    assert found.ipvs_services.complete()


def test_keepalived_is_shown_without_its_password(tmp_path: Path, sh: Sequence[str]) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text("vrrp_instance V {\n virtual_router_id 7\n auth_pass hush\n}\n")
    script = SCRIPT.replace("/etc/keepalived/keepalived.conf", str(file))
    done = subprocess.run([*sh, "-s"], input=script, capture_output=True, text=True, check=True)
    assert "hush" not in done.stdout
    shown = done.stdout.replace(str(file), "/etc/keepalived/keepalived.conf")
    (found,) = read_paste([line.encode() for line in shown.splitlines(True)], "collected")
    assert [row.router_id for row in found.vrrp_instances.rows] == [7]

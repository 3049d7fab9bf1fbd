"""A real libvirtd on a host of its own, in namespaces that end with it."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from tests.libvirt.guest import READY, initramfs

PARTS = Path(__file__).parents[2] / "build" / "guest-kernel"
PROGRAMS = ("libvirtd", "virsh", "qemu-system-x86_64", "unshare", "nsenter", "ebtables")
BRIDGE = "vmbr0"
MAC = "52:54:00:77:00:21"

_PATIENCE_S = 60
_DOMAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>160</memory>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr</cmdline>
  </os>
  <features><acpi/></features>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <interface type='bridge'>
      <mac address='{mac}'/>
      <source bridge='{bridge}'/>
      <model type='virtio'/>
    </interface>
    <serial type='unix'><source mode='bind' path='/run/{name}.console'/></serial>
  </devices>
</domain>
"""


def absent() -> list[str]:
    """What this machine lacks for these tests; ``make test-libvirt`` sets it up."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    return missing if (PARTS / "vmlinuz").exists() else [*missing, "a guest kernel"]


class LibvirtHost:
    """``with LibvirtHost() as host``: its network is empty but for the bridge."""

    def __enter__(self) -> "LibvirtHost":
        self._folder = TemporaryDirectory(prefix="hopback-libvirt-")
        self.folder = Path(self._folder.name)
        spaces = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
        script = Path(__file__).with_name("host.sh")
        with (self.folder / "log").open("wb") as log:
            self._unshare = subprocess.Popen(
                ["unshare", *spaces, "--propagation", "private", "sh", script, BRIDGE],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            until(lambda: bool(self._children()), "a process in the namespaces")
            self._init = self._children()[0]
            until(lambda: self.try_("virsh", "version").returncode == 0, "libvirtd")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._unshare.kill()  # and with it, by --kill-child, all that runs in the namespaces
        self._unshare.wait()
        self._folder.cleanup()

    def _children(self) -> list[int]:
        pid = self._unshare.pid
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def try_(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program as this host's root."""
        inside = ("nsenter", f"--target={self._init}", "--mount", "--net", "--pid")
        return subprocess.run(
            [*inside, f"--wd={self.folder}", *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
        )

    def run(self, *argv: str) -> str:
        """The same; what it prints, and a failure if it fails."""
        done = self.try_(*argv)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr or done.stdout}"
        return done.stdout

    def hopback(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """hopback, run on this host."""
        return self.try_(sys.executable, "-m", "hopback", *argv)

    def start(self, name: str, before: Callable[[str], Sequence[str]]) -> "Guest":
        """Boot a guest; the command that ``before`` makes of its tap's name is run first."""
        (self.folder / "initrd").write_bytes(initramfs(PARTS))
        domain = self.folder / f"{name}.xml"
        domain.write_text(
            _DOMAIN.format(
                name=name,
                kernel=PARTS / "vmlinuz",
                initrd=self.folder / "initrd",
                mac=MAC,
                bridge=BRIDGE,
            )
        )
        self.run("virsh", "create", "--paused", str(domain))
        (tap,) = (port["ifname"] for port in json.loads(self.run("bridge", "-j", "link", "show")))
        self.run(*before(tap))
        guest = Guest(Path(f"/proc/{self._init}/root/run/{name}.console"), tap)
        self.run("virsh", "resume", name)
        guest.read(READY)
        return guest


class Guest:
    """The guest's serial line, and the tap that it is plugged in with."""

    def __init__(self, console: Path, tap: str) -> None:
        self.tap = tap
        self._line = socket.socket(socket.AF_UNIX)
        self._line.settimeout(_PATIENCE_S)
        self._line.connect(str(console))
        self._marks = 0

    def run(self, command: str) -> str:
        """What a shell command prints in the guest."""
        self._marks += 1
        # Split, so that the line's echo of the command is not taken for its end.
        self._line.sendall(f"{command}; echo 'en''d' {self._marks}\n".encode())
        printed = self.read(f"\nend {self._marks}\r\n").replace("\r", "")
        return printed.partition("\n")[2]

    def read(self, until: str) -> str:
        """All that comes up to the text."""
        found = b""
        while until.encode() not in found:
            more = self._line.recv(4096)
            assert more, f"the guest is gone; last it said {found[-500:]!r}"
            found += more
        return found.decode(errors="replace").partition(until)[0]


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that happens by itself."""
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"waited {_PATIENCE_S} s for {what}"
        time.sleep(0.05)

"""Boots user-mode Linux for one command, and hands back what it said and how it ended."""

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from hopback.lab.uml.find import Kernel, UmlError, find

OUTPUT_MAX = 64 << 20
"""Bytes that a command may write before it is ended."""

MEMORY_MIN_MIB = 64
"""With less the kernel does not come up, or hangs while it looks for memory."""

_PACKAGES = Path(__file__).parents[3]
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"  # the user may be no root outside, but is inside
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the file in it has no name
_CHUNK = 1 << 16


class TimeUp(UmlError):
    """The command did not end in time, and was ended."""


class Finished(NamedTuple):
    """``code`` is negative for a signal, as in ``subprocess``; ``seconds`` includes the boot."""

    code: int
    output: bytes
    errors: bytes
    seconds: float


def run(
    argv: Sequence[str],
    *,
    given: bytes = b"",
    seconds: float = 60.0,
    memory_mib: int = 512,
    modules: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    writable: Path | None = None,
    output: BinaryIO | None = None,
    errors: BinaryIO | None = None,
) -> Finished:
    """Run ``argv`` as root in a user-mode kernel of its own, in the same working directory.

    The host's files are all there, as far as the user may read them, and read-only; what may be
    written is ``writable`` (a folder, at its own path), and /run, with TMPDIR and HOME in it, which
    is memory and gone at the end. There is no network but what the command makes, no clock but the
    host's, one CPU, and ``given`` as standard input.

    ``modules`` are loaded before; what the kernel then misses it loads by itself. ``env`` None: the
    caller's. What the command writes goes to ``output`` and ``errors`` as it comes, or else into
    the result. ``seconds`` and ``memory_mib`` bound the whole machine, boot included.

    Nothing is left afterwards, also if the caller is killed. Raises UmlMissing, TimeUp, and
    UmlError when the machine does not come up (too little memory, a module that does not exist) or
    when the command writes more than ``OUTPUT_MAX``.
    """
    kernel = find()
    if memory_mib < MEMORY_MIN_MIB:
        raise UmlError(
            f"a machine of {memory_mib} MiB does not come up: {MEMORY_MIN_MIB} are needed"
        )
    began = time.monotonic()
    kept = (BytesIO(), BytesIO())
    job = {
        "argv": list(argv),
        "cwd": str(Path.cwd()),
        "env": _inner_environment(os.environ if env is None else env),
        "modules": list(modules),
        "writable": None if writable is None else str(writable.resolve()),
    }
    with (
        _folder(kernel, job, given) as folder,
        _machine(folder, kernel, memory_mib, seconds) as lines,
    ):
        _pump(lines, (output or kept[0], errors or kept[1]))
        code = _exit_code(folder, seconds)
    return Finished(code, kept[0].getvalue(), kept[1].getvalue(), time.monotonic() - began)


def run_python(module: str, arguments: Sequence[str] = (), **options: Any) -> Finished:
    """``python -m MODULE`` inside, with the running interpreter and its environment's packages.

    ``options`` are those of ``run``.
    """
    return run([sys.executable, "-m", module, *arguments], **options)


def _inner_environment(env: Mapping[str, str]) -> dict[str, str]:
    path = env.get("PATH", os.defpath)
    return {**env, "PATH": f"{path}:{_SBIN}", "TMPDIR": "/run/tmp", "HOME": "/run/tmp"}


@contextlib.contextmanager
def _folder(kernel: Kernel, job: Mapping[str, Any], given: bytes) -> Iterator[Path]:
    """What the machine needs, in a folder whose name has no blanks: the kernel takes no others.

    The keeper removes it in the end; we do only if it never comes to that.
    """
    folder = Path(tempfile.mkdtemp(prefix="hopback-uml-"))
    (folder / "python").symlink_to(sys.executable)
    (folder / "lib").symlink_to(_PACKAGES)
    (folder / "modules").symlink_to(kernel.modules)
    (folder / "job.json").write_text(json.dumps(job))
    (folder / "given").write_bytes(given)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _machine(
    folder: Path, kernel: Kernel, memory_mib: int, seconds: float
) -> Iterator[tuple[int, int]]:
    """Boot; the descriptors of what the command writes. On leaving, everything is ended."""
    output, output_in = os.pipe()
    errors, errors_in = os.pipe()
    keeper = subprocess.Popen(
        [
            *(sys.executable, "-S", "-m", "hopback.lab.uml.keeper"),
            *(str(folder), str(seconds), str(output_in), str(errors_in), "--"),
            *_command_line(folder, kernel, memory_mib, output_in, errors_in),
        ],
        env={**os.environ, "PYTHONPATH": str(_PACKAGES), "TMPDIR": _memory_folder(memory_mib)},
        stdin=subprocess.PIPE,
        pass_fds=(output_in, errors_in),
        # An interrupt at the terminal is for the caller: the keeper has to outlive it.
        start_new_session=True,
    )
    try:
        os.close(output_in)
        os.close(errors_in)
        _let_go(keeper)
        yield output, errors
    finally:
        os.close(output)
        os.close(errors)
        keeper.communicate()


def _let_go(keeper: "subprocess.Popen[bytes]") -> None:
    """From here on the keeper is known and waited for, whatever interrupts us."""
    if keeper.stdin is None:
        raise AssertionError("it is a pipe")
    with contextlib.suppress(BrokenPipeError):  # it has ended: that is found out when it should
        keeper.stdin.write(b"\n")
        keeper.stdin.flush()


def _command_line(
    folder: Path, kernel: Kernel, memory_mib: int, output: int, errors: int
) -> list[str]:
    return [
        str(kernel.program),
        f"mem={memory_mib}M",
        *("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"),
        # The serial lines pass bytes on untouched and fast; the console takes the kernel's words.
        *("con=null", "con0=null,fd:1", f"ssl0=null,fd:{output}", f"ssl1=null,fd:{errors}"),
        # Half of the boot would go into measuring how fast it can compute RAID 6 checksums.
        *("quiet", "initcall_blacklist=raid6_select_algo"),
        *(f"uml_dir={folder}", f"init={folder}/python"),
        # What the kernel does not know it hands to its first process: this as environment …
        f"PYTHONPATH={folder}/lib",
        # … and these as arguments.
        *("--", "-S", "-m", "hopback.lab.uml.init", str(folder)),
    ]


def _memory_folder(memory_mib: int) -> str:
    """Where the machine's memory is a file: in memory itself, unless a container allows too little.

    The kernel runs code from there, and a full file system would crash it.
    """
    shared = os.statvfs(_SHARED_MEMORY)
    enough = shared.f_bavail * shared.f_frsize >= memory_mib << 20
    runnable = not shared.f_flag & os.ST_NOEXEC
    return _SHARED_MEMORY if enough and runnable else tempfile.gettempdir()


def _pump(lines: Sequence[int], sinks: Sequence[BinaryIO]) -> None:
    """Copy what comes until both lines end."""
    left = OUTPUT_MAX
    with selectors.DefaultSelector() as selector:
        for line, sink in zip(lines, sinks, strict=True):
            selector.register(line, selectors.EVENT_READ, sink)
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, _CHUNK)
                if not data:
                    selector.unregister(key.fd)
                left -= len(data)
                if left < 0:
                    raise UmlError(f"ended: the command wrote more than {OUTPUT_MAX} bytes")
                key.data.write(data)
                key.data.flush()


def _exit_code(folder: Path, seconds: float) -> int:
    ended = folder / "ended"
    if not ended.exists():
        raise UmlError("the keeper of user-mode Linux was killed")
    if ended.read_text() == "time":
        raise TimeUp(f"not done after {seconds:g} s, and ended")
    if (folder / "failed").exists():
        raise UmlError((folder / "failed").read_text())
    if not (folder / "code").exists():
        said = (folder / "console").read_text(errors="replace").splitlines()
        raise UmlError(f"user-mode Linux did not come up: {_complaint(said)}")
    return int((folder / "code").read_text())


def _complaint(said: Sequence[str]) -> str:
    """The line that matters most of what the kernel said: why it panicked, or else its last."""
    return next((line for line in said if "panic" in line), said[-1] if said else "it said nothing")

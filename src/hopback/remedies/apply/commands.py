"""Runs the commands of fixes: known programs, found on a fixed PATH, without a shell."""

import shlex
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = {
    "bridge": "iproute2",
    "ip": "iproute2",
    "tc": "iproute2",
    "nft": "nftables",
    "ebtables": "ebtables",
    "ip6tables": "iptables",
    "iptables": "iptables",
    "ipvsadm": "ipvsadm",
    "sysctl": "procps",
    "virsh": "libvirt-clients",
}
"""The programs that a fix may run, and Debian's package of each."""

_SECONDS = 30.0
_OUTPUT_MAX = 4096
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}  # include/uapi/linux/capability.h
_SHELL = frozenset("();<>|&$`")
_NEVER_RAN = 127  # as shells say


class Unfit(Exception):
    """A command that cannot be run, in one line. ``denied``: for lack of privilege."""

    def __init__(self, message: str, denied: bool = False) -> None:
        super().__init__(message)
        self.denied = denied


class Outcome(NamedTuple):
    """How a command ended: its exit code, None if it had to be stopped, and what it said."""

    code: int | None
    output: str


def argv_of(line: str) -> list[str]:
    """The words of a command. Raises Unfit for one that needs a shell, or a program unknown here.

    A word that a shell would obey and no shell sees would change the command's meaning in silence.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&$`")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise Unfit(f"“{line}” cannot be run: {error}") from error
    if any(word and set(word) <= _SHELL for word in words):
        raise Unfit(f"“{line}” cannot be run: it needs a shell")
    unknown = [name for name in _programs(words) if name not in PACKAGES]
    if unknown or not words:
        raise Unfit(f"“{line}” cannot be run: it is no command that hopback runs")
    return words


def check(lines: Iterable[str]) -> None:
    """Raise Unfit if a program or a capability is lacking, or what is done would outlast a reboot.

    Nobody is there then to undo what was not confirmed.
    """
    every = [argv_of(line) for line in lines]
    for words in every:
        if words[0] == "virsh" and "--config" in words:
            raise Unfit(f"“{' '.join(words)}” is not applied: a reboot would not undo it")
    for name in dict.fromkeys(name for words in every for name in _programs(words)):
        if shutil.which(name, path=PATH) is None:
            raise Unfit(f"{name} is not installed: apt-get install {PACKAGES[name]}")
    inside = any(_enters(words) for words in every)
    needed = ("CAP_NET_ADMIN", *(("CAP_SYS_ADMIN",) if inside else ()))
    lacking = [name for name in needed if not _effective() >> _CAPABILITIES[name] & 1]
    if lacking:
        raise Unfit(f"applying it needs {' and '.join(lacking)}: sudo hopback fix …", denied=True)


def run(line: str) -> Outcome:
    """Run a command to its end, for half a minute at most."""
    try:
        done = subprocess.run(
            argv_of(line),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": PATH, "LC_ALL": "C"},
            cwd="/",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(None, f"stopped, as it did not end in {_SECONDS:g} s")
    except (OSError, Unfit) as error:
        return Outcome(_NEVER_RAN, str(error))
    said = done.stdout[:_OUTPUT_MAX].decode(errors="replace")
    return Outcome(done.returncode, said.strip())


def _programs(words: Sequence[str]) -> list[str]:
    """The program, and the one that it starts in a namespace."""
    if list(words[:3]) == ["ip", "netns", "exec"]:
        return ["ip", *words[4:5]]
    return list(words[:1])


def _enters(words: Sequence[str]) -> bool:
    return words[0] in ("ip", "bridge", "tc") and ("netns" in words[1:2] or "-n" in words[1:2])


def _effective() -> int:
    """The capabilities that this process may use (proc(5))."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return int(value, 16)
    return 0

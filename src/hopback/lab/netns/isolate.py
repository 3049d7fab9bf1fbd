"""Makes the process a stranger to its host: its own network, its own mounts, nothing to clean up.

Names below /run/netns are mounts of a private mount namespace: ``ip -n NAME`` finds them here and
nobody else does, and with the last process they are gone.
"""

import ctypes
import os
import resource
import shutil
import signal
from pathlib import Path

from hopback.lab.modules import SYMBOLS
from hopback.lab.netns.namespace import Namespace
from hopback.lab.steps import FACILITIES, Facility, Plan, Refused
from hopback.sources.live.modules import presence

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWNET = 0x4000_0000
MS_BIND = 1 << 12
MS_REC_PRIVATE = 1 << 14 | 1 << 18
PR_SET_PDEATHSIG = 1

_NAMED = Path("/var/run/netns")  # iproute2's NETNS_RUN_DIR
_LOADABLE = Path("/proc/modules")  # a kernel without modules has no such file
_MODULE_OF = {"nf_tables_ip": "nf_tables"}
_WITH_NFT = ("nf_tables", "nf_tables_ip")

_libc = ctypes.CDLL(None, use_errno=True)


def isolate(plan: Plan) -> None:
    """Leave the host's networks and mounts, and die with the parent. Refused if that cannot be.

    To be called by a process that has one thread.
    """
    absent = [module for module in plan.needs() if _would_load(module)]
    if absent:
        names = " ".join(absent)
        raise Refused(
            f"the kernel would have to load {names}: run modprobe -a {names}, or use --in uml"
            " (apt-get install user-mode-linux)",
            denied=True,
        )
    parent = os.getppid()
    _leave()
    # After the change of credentials, which clears it (kernel/cred.c:commit_creds).
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(1)
    resource.setrlimit(resource.RLIMIT_AS, (plan.memory, plan.memory))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _mount("none", "/", None, MS_REC_PRIVATE)
    _mount("tmpfs", str(_NAMED.parent.resolve()), "tmpfs", 0)
    _NAMED.mkdir()


def facilities() -> tuple[Facility, ...]:
    """Which of them the running kernel has without loading a module, and the programs for it."""
    modules = {name: _MODULE_OF.get(name, name) for name in FACILITIES}
    there = (n for n in FACILITIES if presence(modules[n], SYMBOLS[modules[n]]) == "present")
    return tuple(name for name in there if name not in _WITH_NFT or shutil.which("nft"))


def give_name(space: Namespace, name: str) -> None:
    """Let ``ip -n name`` mean ``space``."""
    place = _NAMED / name
    place.touch()
    _mount(f"/proc/self/fd/{space.fileno()}", str(place), None, MS_BIND)


def _would_load(module: str) -> bool:
    """Whether using it may make the kernel load it; a kernel without modules never does."""
    return presence(module, SYMBOLS[module]) != "present" and _LOADABLE.exists()


def _leave() -> None:
    uid, gid = os.geteuid(), os.getegid()
    user = 0 if uid == 0 else CLONE_NEWUSER
    if _libc.unshare(user | CLONE_NEWNS | CLONE_NEWNET) != 0:
        raise Refused(
            "network namespaces need root here, as this kernel gives users none of their own:"
            " use sudo, or --in uml (apt-get install user-mode-linux)",
            denied=True,
        )
    if user:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"0 {uid} 1"),
            ("gid_map", f"0 {gid} 1"),
        ):
            Path("/proc/self", name).write_text(text)


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    name = kind.encode() if kind else None
    if _libc.mount(source.encode(), target.encode(), name, ctypes.c_ulong(flags), None) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise Refused(f"cannot mount {target} in a namespace of my own: {reason}", denied=True)

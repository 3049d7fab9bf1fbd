"""BPF programs attached by tcx (since Linux 6.6), which no netlink dump shows: bpf(2).

Cilium attaches its programs this way. The kernel tells them only to CAP_NET_ADMIN
(``kernel/bpf/syscall.c:bpf_prog_query``).
"""

import ctypes
import errno
import os
from functools import cache

_CALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
_PROG_QUERY = 16
_HOOKS = ((46, "ingress"), (47, "egress"))  # BPF_TCX_INGRESS, BPF_TCX_EGRESS


class _Query(ctypes.Structure):
    """The ``query`` member of union bpf_attr, as far as it goes here."""

    _fields_ = (
        ("target_ifindex", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("query_flags", ctypes.c_uint32),
        ("attach_flags", ctypes.c_uint32),
        ("prog_ids", ctypes.c_uint64),
        ("prog_cnt", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
        ("prog_attach_flags", ctypes.c_uint64),
        ("link_ids", ctypes.c_uint64),
        ("link_attach_flags", ctypes.c_uint64),
        ("revision", ctypes.c_uint64),
    )


def hooks_in_use(index: int) -> tuple[str, ...]:
    """The tcx hooks ("ingress", "egress") of device ``index`` here that have a program.

    Raises PermissionError without CAP_NET_ADMIN; a kernel without tcx has none.
    """
    return tuple(hook for kind, hook in _HOOKS if _count(index, kind))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _count(index: int, kind: int) -> int:
    number = _CALL.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, "bpf(2) is not known on this architecture")
    query = _Query(target_ifindex=index, attach_type=kind)
    if _libc().syscall(number, _PROG_QUERY, ctypes.byref(query), ctypes.sizeof(query)) == 0:
        return int(query.prog_cnt)
    code = ctypes.get_errno()
    # no such attach type, no bpf(2), no program, or the device has gone
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOENT, errno.ENODEV):
        return 0
    raise OSError(code, os.strerror(code))

"""Programs at the tcx hooks, attached for real."""

import ctypes
import os
import struct
from collections.abc import Iterator

import pytest

from hopback.lab.netns.namespace import Namespace
from hopback.snapshot.rows import Blind
from hopback.sources.live import bpf, read
from tests.sources.live.conftest import Lab

pytestmark = pytest.mark.kernel

PROG_LOAD, LINK_CREATE = 5, 28
SCHED_CLS, TCX_INGRESS = 3, 46
# r0 = TCX_NEXT (-1); exit
PASS = struct.pack("<BBhi", 0xB7, 0, 0, -1) + struct.pack("<BBhi", 0x95, 0, 0, 0)


def call(command: int, attributes: bytes) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    number = bpf._CALL.get(os.uname().machine)
    handle: int = -1
    if number is not None:
        handle = libc.syscall(number, command, buffer, len(attributes))
    if handle < 0:
        pytest.skip(f"bpf(2) command {command}: {os.strerror(ctypes.get_errno())}")
    return handle


@pytest.fixture
def program(lab: Lab) -> Iterator[str]:
    """A device of ``lab.host`` with a program that lets everything pass."""
    code = ctypes.create_string_buffer(PASS, len(PASS))
    licence = ctypes.create_string_buffer(b"GPL")
    load = struct.pack(
        "=IIQQIIQ", SCHED_CLS, 2, ctypes.addressof(code), ctypes.addressof(licence), 0, 0, 0
    )
    loaded = call(PROG_LOAD, load + bytes(80))
    index = next(r.index for r in read((lab.host,)).links.rows if r.name == "q3")
    assert index is not None
    with Namespace(os.open(f"/run/netns/{lab.host}", os.O_RDONLY)):
        attached = call(
            LINK_CREATE, struct.pack("=IIII", loaded, index, TCX_INGRESS, 0) + bytes(48)
        )
    yield "q3"
    os.close(attached)  # the link ends with its last handle
    os.close(loaded)


def test_a_program_is_a_blind_spot(lab: Lab, program: str) -> None:
    """Only on its device, and only at its hook."""
    found = read((lab.host,))
    assert [(row.dev, row.what) for row in found.table(Blind).rows] == [
        (program, "BPF program (tcx) on ingress")
    ]
    assert found.blinds.complete(lab.host)


def test_without_programs_there_is_none(lab: Lab) -> None:
    """And the table says so."""
    found = read((lab.host,))
    assert found.blinds.rows == ()
    assert found.blinds.complete(lab.host)

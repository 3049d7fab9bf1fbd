"""Kernel releases."""

import pytest

from hopback.snapshot.rows import HostIdentity, Kernel
from hopback.sources.parse import uname
from tests.sources.parse.given import listing, pasted, recorded, rows


@pytest.mark.parametrize(
    ("name", "release"),
    [("vm61-bond/uname.txt", "6.1.0-56-amd64"), ("libvirt/uname", "6.18.44")],
)
def test_recorded(name: str, release: str) -> None:
    parsed = uname.parse(recorded(name))
    assert [row.release for row in rows(parsed, Kernel)] == [release]
    assert not rows(parsed, HostIdentity)
    assert not parsed.problems


def test_host_name() -> None:
    parsed = uname.parse(pasted("Linux kvm1 3.2.0-4-amd64 #1 SMP Debian 3.2.60-1 x86_64 GNU/Linux"))
    assert [row.release for row in rows(parsed, Kernel)] == ["3.2.0-4-amd64"]
    assert [row.hostname for row in rows(parsed, HostIdentity)] == ["kvm1"]


def test_proc_version() -> None:
    parsed = uname.parse(listing("Linux version 4.9.0-6-amd64 (a@b) (gcc 6.3) #1 SMP"))
    assert [row.release for row in rows(parsed, Kernel)] == ["4.9.0-6-amd64"]


def test_prose_is_no_release() -> None:
    text = "Linux kernels are fine"
    assert not uname.parse(pasted(text)).rows
    assert len(uname.parse(listing(text)).problems) == 1
    assert uname.SHAPE is not None
    assert not uname.SHAPE.match("6.1")

"""Archives of strangers."""

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopback.sources.archive import Limits, archive_tree
from hopback.sources.directory import read_directory
from hopback.sources.magic import is_archive
from hopback.sources.tree import Tree

SHOW = b"bridge name\tbridge id\t\tSTP enabled\tinterfaces\nbr0\t\t8000.62e9dba090f3\tno\t\teth0\n"
Member = tuple[tarfile.TarInfo, bytes]


def file(name: str, data: bytes = SHOW) -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info, data


def special(name: str, kind: bytes, target: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def tar(*members: Member) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def read(data: bytes, limits: Limits | None = None) -> Tree:
    return archive_tree(io.BytesIO(data), "h1.tar.gz", limits)


def messages(tree: Tree) -> list[str]:
    return [problem.message for problem in tree.problems]


def noise(size: int) -> bytes:
    """Text that hardly shrinks."""
    return b"".join(b"%x\n" % (n * 2654435761 % 2**32) for n in range(size // 9))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_members_are_read_in_memory(pack: Callable[[bytes], bytes]) -> None:
    data = pack(tar(file("h1/brctl-show.txt"), file("h1/deep/er/brctl-show.txt")))
    assert is_archive(data[:512])
    tree = read(data)
    assert tree.label == "h1"
    assert messages(tree) == []
    assert list(tree.files) == ["h1/brctl-show.txt", "h1/deep/er/brctl-show.txt"]
    (snapshot,) = read_directory(tree)
    assert [row.name for row in snapshot.ports.rows] == ["eth0", "eth0"]


@pytest.mark.parametrize(
    "name", ["../brctl-show.txt", "/etc/brctl-show.txt", "a/../../brctl-show.txt"]
)
def test_climbing_name_is_refused(name: str) -> None:
    tree = read(tar(file(name), file("brctl-show.txt")))
    assert messages(tree) == [f"{name!r}: climbs out of the archive: not read"]
    assert list(tree.files) == ["brctl-show.txt"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc/shadow", "../../etc/shadow"])
def test_link_out_is_refused(kind: bytes, target: str) -> None:
    tree = read(tar(special("h1/dmesg.txt", kind, target), file("h1/brctl-show.txt")))
    assert messages(tree) == ["'h1/dmesg.txt': a link out of the archive: not followed"]
    assert list(tree.files) == ["h1/brctl-show.txt"]


def test_link_within_is_passed_over() -> None:
    tree = read(tar(special("h1/dmesg", tarfile.SYMTYPE, "sos/kernel/dmesg"), file("h1/a.txt")))
    assert messages(tree) == []
    assert list(tree.files) == ["h1/a.txt"]


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_device_is_refused(kind: bytes) -> None:
    tree = read(tar(special("h1/dmesg.txt", kind), file("h1/brctl-show.txt")))
    assert messages(tree) == ["'h1/dmesg.txt': a device or pipe: not read"]
    assert list(tree.files) == ["h1/brctl-show.txt"]


def test_bomb_is_stopped_in_bounded_memory() -> None:
    data = gzip.compress(tar(file("h1/brctl-show.txt"), file("h1/x.txt", bytes(64 << 20))))
    limits = Limits(ratio=100, ratio_from=1 << 20)
    tracemalloc.start()
    tree = read(data, limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (message,) = messages(tree)
    assert "inflates more than 100 to 1: a decompression bomb" in message
    assert list(tree.files) == ["h1/brctl-show.txt"]
    assert peak < 24 << 20


def test_bomb_in_a_header_is_stopped() -> None:
    """The size of a long name is only claimed, and tarfile would read all of it."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 32 << 20
    data = info.tobuf() + b"a" * (32 << 20) + tar(file("h1/a.txt"))
    (message,) = messages(read(data))
    assert "a header of more than 4 MiB" in message


def test_total_is_bounded() -> None:
    data = gzip.compress(tar(file("h1/a.txt"), file("h1/b.txt", noise(3 << 20))))
    (message,) = messages(tree := read(data, Limits(total=2 << 20)))
    assert "inflates to more than 2 MiB" in message
    assert list(tree.files) == ["h1/a.txt"]


def test_file_is_bounded() -> None:
    data = tar(file("h1/a.txt"), file("h1/b.txt", noise(3 << 20)))
    (message,) = messages(tree := read(data, Limits(file=2 << 20)))
    assert "'h1/b.txt' is larger than 2 MiB" in message
    assert list(tree.files) == ["h1/a.txt"]


def test_kept_is_bounded_and_the_unwanted_is_not_kept() -> None:
    big = noise(1 << 20)
    unwanted = [file(f"h1/deep/down/{n}.bin", big) for n in range(4)]
    assert messages(read(tar(*unwanted, file("h1/a.txt")), Limits(kept=2 << 20))) == []
    wanted = [file(f"h1/{n}.txt", big) for n in range(4)]
    (message,) = messages(read(tar(*wanted), Limits(kept=2 << 20)))
    assert "more than 2 MiB of listings" in message


def test_number_of_members_is_bounded() -> None:
    data = tar(*(file(f"h1/{n}.txt", b"x") for n in range(20)))
    (message,) = messages(tree := read(data, Limits(members=10)))
    assert "more than 10 members" in message
    assert len(tree.files) == 10


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_truncated_archive_is_used_as_far_as_it_goes(pack: Callable[[bytes], bytes]) -> None:
    data = pack(tar(file("h1/a.txt"), file("h1/b.txt", noise(200_000))))
    (message,) = messages(tree := read(data[: len(data) // 2]))
    assert message.startswith("truncated or damaged: ")
    assert list(tree.files) == ["h1/a.txt"]


def test_sparse_file_is_not_inflated(tmp_path: Path) -> None:
    info = tarfile.TarInfo("h1/dmesg.txt")
    info.type = tarfile.GNUTYPE_SPARSE
    raw = bytearray(info.tobuf())
    raw[386:398], raw[398:410] = b"%011o\0" % 0, b"%011o\0" % 0
    raw[483:495] = b"%011o\0" % (400 << 20)
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    tree = read(bytes(raw) + tar(file("h1/a.txt")))
    assert messages(tree) == ["'h1/dmesg.txt': a sparse file: not read"]


@given(st.binary(max_size=600), st.integers(0, 4000), st.sampled_from([bytes, gzip.compress]))
@settings(max_examples=60)
def test_damage_never_raises(junk: bytes, at: int, pack: Callable[[bytes], bytes]) -> None:
    data = bytearray(pack(tar(file("h1/a.txt"), file("h1/brctl-show.txt"))))
    data[at : at + len(junk)] = junk
    read_directory(read(bytes(data)))


def test_a_compressed_log_is_told_from_a_damaged_archive() -> None:
    (message,) = messages(read(gzip.compress(b"eth0: link up\n" * 100)))
    assert message.endswith("decompress a log or a paste first")

"""The netlink framing: what the kernel answers, and what it answers when it will not."""

import errno
import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopback.sources.live.netlink import (
    Netlink,
    attribute_list,
    attributes,
    number,
    pack_attribute,
    text,
)

HEADER = struct.Struct("=IHHII")
DONE, ERROR, NEWLINK, GETLINK = 3, 2, 16, 18
MULTI, INTERRUPTED = 0x2, 0x10


class Scripted(Netlink):
    """A client whose kernel is the other end of a socket pair: it says what the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self._socket.close()
        self._socket, self.kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(5)

    def answer(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self.kernel.send(datagram)


def message(kind: int, payload: bytes, sequence: int = 1, flags: int = MULTI) -> bytes:
    size = HEADER.size + len(payload)
    return HEADER.pack(size, kind, flags, sequence, 0) + payload + b"\0" * (-size % 4)


def done(sequence: int = 1, code: int = 0) -> bytes:
    return message(DONE, struct.pack("=i", code), sequence)


def test_a_dump_spans_datagrams_and_skips_late_answers() -> None:
    """Messages of another request are not ours."""
    link = Scripted()
    link.answer(
        message(NEWLINK, b"aaaaa") + message(NEWLINK, b"bb", sequence=7),
        message(NEWLINK, b"cccc"),
        done(),
    )
    assert link.dump(GETLINK, b"") == ([b"aaaaa", b"cccc"], True)


def test_an_interrupted_dump_is_asked_again() -> None:
    """NLM_F_DUMP_INTR: the table changed, rows may lack; only the second answer is used."""
    link = Scripted()
    link.answer(message(NEWLINK, b"old", flags=MULTI | INTERRUPTED), done())
    link.answer(message(NEWLINK, b"new", sequence=2), done(2))
    assert link.dump(GETLINK, b"") == ([b"new"], True)


def test_a_table_that_never_rests_is_given_as_not_whole() -> None:
    """Asking is bounded, and what was read last is still used."""
    link = Scripted()
    for sequence in range(1, 6):
        link.answer(message(NEWLINK, b"row", sequence, MULTI | INTERRUPTED), done(sequence))
    assert link.dump(GETLINK, b"") == ([b"row"], False)


def test_a_lost_part_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOBUFS: the rest of the answer is fetched first, else the second request is refused."""
    link = Scripted()
    link.answer(message(NEWLINK, b"half"), done())
    link.answer(message(NEWLINK, b"all", sequence=2), done(2))
    receive, losses = link._receive, [OSError(errno.ENOBUFS, "lost")]

    def lossy() -> bytes:
        if losses:
            raise losses.pop()
        return receive()

    monkeypatch.setattr(link, "_receive", lossy)
    assert link.dump(GETLINK, b"") == ([b"all"], True)


@pytest.mark.parametrize("kind", [DONE, ERROR])
def test_a_refusal_is_an_oserror(kind: int) -> None:
    """NLMSG_ERROR, and NLMSG_DONE with an errno."""
    link = Scripted()
    link.answer(message(kind, struct.pack("=i", -errno.EPERM) + bytes(16)))
    with pytest.raises(PermissionError):
        link.dump(GETLINK, b"")


def test_a_message_shorter_than_its_header_is_an_oserror() -> None:
    """It would be read for ever otherwise."""
    link = Scripted()
    link.answer(HEADER.pack(4, NEWLINK, 0, 1, 0))
    with pytest.raises(OSError, match="shorter"):
        link.dump(GETLINK, b"")


def test_the_running_kernel_answers_and_refuses() -> None:
    """A dump of devices has lo; an unknown request is refused; one question has one answer."""
    with Netlink() as link:
        found = link.dump(GETLINK, bytes(16))
        assert found.whole
        assert b"lo\0" in [attributes(m, 16)[3] for m in found.messages]
        with pytest.raises(OSError, match=os.strerror(errno.EOPNOTSUPP)):
            link.dump(0x7FF2, bytes(16))
        (index,) = struct.unpack_from("=i", found.messages[0], 4)
        answer = link.ask(GETLINK, struct.pack("=BxHiII", 0, 0, index, 0, 0))
        assert attributes(answer, 16)[3] == attributes(found.messages[0], 16)[3]


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=40)), max_size=8))
def test_attributes_round_trip(pairs: list[tuple[int, bytes]]) -> None:
    """What is packed is read back, in order and with repeats."""
    raw = b"".join(pack_attribute(kind, value) for kind, value in pairs)
    assert attribute_list(raw) == pairs
    assert attributes(b"\0" * 12 + raw, 12) == dict(pairs)


@given(st.binary(max_size=64))
def test_attributes_of_anything_end(raw: bytes) -> None:
    """A length of zero stops the walk."""
    assert len(attribute_list(raw)) <= 16


def test_values() -> None:
    """Numbers of any width, strings without NUL, nested flag cut off the type."""
    assert number(struct.pack("=H", 513)) == 513
    assert number(b"") == 0
    assert text(b"eth0\0") == "eth0"
    assert attributes(pack_attribute(0x8000 | 5, b"x")) == {5: b"x"}

"""Text that somebody pasted."""

import io
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopback.frames.mac import parse_mac
from hopback.snapshot.model import Snapshot
from hopback.snapshot.quote import quote
from hopback.sources.paste import read_paste

FIXTURES = Path(__file__).parents[1] / "fixtures"

SHOWMACS = """port no	mac addr		is local?	ageing timer
  1	fe:00:00:00:00:01	yes		   0.00
  2	02:00:00:00:00:02	no		   1.35
"""
LINK = "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noop state UP mode DEFAULT\n"
ECHO = "br0: received packet on bond0 with own address as source address"


def paste(text: str | bytes) -> tuple[Snapshot, ...]:
    data = text.encode() if isinstance(text, str) else text
    return read_paste(io.BytesIO(data), "paste.txt")


def one(text: str | bytes) -> Snapshot:
    (snapshot,) = paste(text)
    return snapshot


def hosts(text: str) -> list[str]:
    return [snapshot.host for snapshot in paste(text)]


def test_command_covers_its_bridge() -> None:
    snapshot = one("host# brctl showmacs br0\n" + SHOWMACS)
    assert len(snapshot.fdb.rows) == 2
    assert snapshot.fdb.complete(dev="br0")
    assert not snapshot.fdb.complete(dev="br1")


@pytest.mark.parametrize(
    "text",
    [
        "host# brctl showmacs br0 | grep 02:\n" + SHOWMACS,
        "host# brctl showmacs br0\n" + SHOWMACS + "[...]\n",
        "host# brctl showmacs br0\n" + SHOWMACS.replace("  2", "<snip>\n  2"),
        SHOWMACS,
    ],
    ids=["grep", "cut after", "cut within", "no prompt"],
)
def test_not_complete(text: str) -> None:
    snapshot = one(text)
    assert len(snapshot.fdb.rows) == 2
    assert not snapshot.fdb.complete(dev="br0")


def test_rows_cite_their_lines() -> None:
    snapshot = one("some prose\n\n$ brctl showmacs br0\n" + SHOWMACS)
    source = snapshot.sources[0]
    assert (source.name, source.first_line) == ("brctl showmacs br0", 3)
    assert [row.cite.line for row in snapshot.fdb.rows] == [5, 6]
    assert quote(snapshot, snapshot.fdb.rows[1].cite).startswith("2\t02:00:00:00:00:02")


def test_hosts_by_prompt() -> None:
    text = f"h1# ip link\n{LINK}\n[root@h2 ~]# ip link\n{LINK}\n(pod) # ip link\n{LINK}"
    assert hosts(text) == ["h1", "h2", "pod"]


def test_bare_prompt_belongs_to_last_named_host() -> None:
    text = f"$ ip link\n{LINK}\nh1# date\nFri Nov 20\n\n# brctl showmacs br0\n{SHOWMACS}"
    first, second = paste(text)
    assert (first.host, len(first.links.rows), len(first.fdb.rows)) == ("", 1, 0)
    assert (second.host, len(second.links.rows), len(second.fdb.rows)) == ("h1", 0, 2)


@pytest.mark.parametrize(
    "typed", ["brctl showmacs br0", "> brctl showmacs br0", "#brctl showmacs br0"]
)
def test_command_without_a_prompt_before_its_listing(typed: str) -> None:
    snapshot = one(f"{typed}\n{SHOWMACS}")
    assert snapshot.fdb.complete(dev="br0")


def test_a_quote_in_an_indented_text() -> None:
    text = "".join(f"    > {line}\n" for line in ("h1# brctl showmacs br0", *SHOWMACS.splitlines()))
    assert (one(text).host, one(text).fdb.complete(dev="br0")) == ("h1", True)


def test_command_in_prose_is_no_command() -> None:
    assert not one(f"ip link shows this:\n{SHOWMACS}").fdb.complete(dev="br0")


def test_forum_tags_before_a_prompt() -> None:
    snapshot = one(f'[FONT="Courier"][b]# brctl showmacs br0\n{SHOWMACS}[/FONT]\n')
    assert snapshot.fdb.complete(dev="br0")


def test_message_that_a_mail_program_broke() -> None:
    text = f"> It says: {ECHO.replace(' on bond0', chr(10) + '> on bond0')}\n> (addr:02:00,\n"
    assert [(row.bridge, row.dev) for row in one(text).own_sources.rows] == [("br0", "bond0")]


def test_heading_names_a_host() -> None:
    assert hosts(f"=== h1 ===\n{LINK}\n=== h2 ===\n{LINK}") == ["h1", "h2"]
    assert hosts(f"Host A:\n\n$ ip link\n{LINK}") == ["A"]


def test_host_that_shows_nothing_is_no_host() -> None:
    assert hosts(f"h1# cd /tmp\nh2# ip link\n{LINK}") == ["h2"]


def test_container_is_a_host_and_namespace_is_not() -> None:
    text = f"h# docker exec web ip link\n{LINK}\nh# ip netns exec blue ip link\n{LINK}"
    web, host = paste(text)
    assert (web.host, host.host) == ("web", "h")
    assert host.links.rows[0].netns == "blue"
    assert host.links.complete(netns="blue")
    assert not host.links.complete()


def test_uname_does_not_relabel() -> None:
    assert hosts("h1# uname -a\nLinux other 6.1.0-18-amd64 #1 SMP x86_64 GNU/Linux\n") == ["h1"]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: "```console\n" + text + "```\n",
        lambda text: "".join("> " + line for line in text.splitlines(True)),
        lambda text: "".join("    " + line for line in text.splitlines(True)),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: "\x1b[32m" + text.replace("\n", "\x1b[0m\n"),
    ],
    ids=["fence", "mail", "indent", "crlf", "bom", "colour"],
)
def test_wrapping(wrap: object) -> None:
    assert callable(wrap)
    text = f"host# ip link\n{LINK}    link/ether 02:00:00:00:00:05 brd ff:ff:ff:ff:ff:ff\n"
    snapshot = one(wrap(text))
    assert (snapshot.host, snapshot.problems) == ("host", ())
    assert [row.mac for row in snapshot.links.rows] == [parse_mac("02:00:00:00:00:05")]


def test_indented_listing_without_prompt() -> None:
    assert one("Look:\n\n    " + LINK).links.rows[0].name == "eth0"


def test_prose_after_a_listing_is_passed_over() -> None:
    snapshot = one(f"$ brctl showmacs br0\n{SHOWMACS}\nWhy? The port was 2, and $ was spent.\n")
    assert (len(snapshot.fdb.rows), snapshot.problems) == (2, ())


def test_same_table_twice_is_two_observations() -> None:
    text = f"$ brctl showmacs br0\n{SHOWMACS}\nA minute later:\n\n{SHOWMACS}"
    snapshot = one(text)
    assert [row.cite.source for row in snapshot.fdb.rows] == [0, 0, 1, 1]
    assert [row.cite.line for row in snapshot.fdb.rows] == [3, 4, 9, 10]
    snapshot = one(SHOWMACS + "\nLater:\n\n" + SHOWMACS)
    assert [row.cite.source for row in snapshot.fdb.rows] == [0, 0, 1, 1]


def test_second_listing_after_a_command_is_found_by_shape() -> None:
    snapshot = one(f"$ brctl showmacs br0\n{SHOWMACS}\nand the links:\n\n{LINK}")
    assert (len(snapshot.fdb.rows), len(snapshot.links.rows)) == (2, 1)
    assert not snapshot.links.complete()


@pytest.mark.parametrize(
    "text",
    [
        f"The log said\n  • {ECHO}\nand so on.\n",
        f"$ ip link set x up\n{ECHO}\n",
        f"$ brctl showmacs br0\n{SHOWMACS}[   86.653501] {ECHO}\n",
        SHOWMACS.replace("  2", f"{ECHO}\n  2"),
    ],
    ids=["bullet", "console", "after", "between rows"],
)
def test_kernel_message_anywhere(text: str) -> None:
    (event,) = one(text).own_sources.rows
    assert (event.bridge, event.dev) == ("br0", "bond0")
    assert ECHO in quote(one(text), event.cite)


def test_typed_topology() -> None:
    snapshot = one(
        "ns# ip link add br0 type bridge ; ip link add v0 type veth peer name v1\n"
        "ns# ip link set v0 master br0\n"
        "ns# bridge link set dev v0 hairpin on\n"
    )
    assert [(row.name, row.lower) for row in snapshot.links.rows[1:3]] == [
        ("v0", "v1"),
        ("v1", "v0"),
    ]
    assert [row.hairpin for row in snapshot.ports.rows] == [None, True]
    assert [row.cite.line for row in snapshot.ports.rows] == [2, 3]
    assert not snapshot.ports.complete()


def test_commands_in_prose_are_no_evidence() -> None:
    snapshot = one("Then run\nip link add v0 type veth peer name v1\nand be happy.\n")
    assert snapshot.links.rows == ()


def test_unknown_output_is_unread() -> None:
    snapshot = one("h# ovs-vsctl show\n    Bridge br-int\n")
    (row,) = snapshot.unread.rows
    assert row.what == "output of ovs-vsctl show"
    assert quote(snapshot, row.cite) == "h# ovs-vsctl show"


@pytest.mark.parametrize("text", ["h# date\nFri Nov 20\n", "h# ovs-vsctl show\n\n"])
def test_output_that_says_nothing_is_not_unread(text: str) -> None:
    assert "nothing recognised" in one(text).problems[0].message or not one(text).unread.rows


def test_damaged_listing_of_a_known_command_is_unread() -> None:
    snapshot = one("h# brctl showmacs br0\nread of forward table failed: No such device\n")
    assert [row.what for row in snapshot.unread.rows] == ["output of brctl showmacs br0"]
    assert not snapshot.fdb.complete(dev="br0")


def test_healthy_output_without_rows_is_read() -> None:
    ping = "64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=1.97 ms\n"
    assert one(f"h# ping 10.0.0.2\n{ping}").unread.rows == ()


@pytest.mark.parametrize("text", ["Nothing to see here.\n", "Nothing\n" * 100])
def test_nothing_recognised(text: str) -> None:
    snapshot = one(text)
    assert [p.message for p in snapshot.problems] == ["nothing recognised in it"]
    assert len(snapshot.unread.rows) == 1


def test_empty_text() -> None:
    assert (len(one("").problems), one("").unread.rows) == (1, ())


def test_binary_is_mended_and_told() -> None:
    snapshot = one(b"h# ip link\n" + LINK.encode() + b"\0\xff\n")
    assert len(snapshot.links.rows) == 1
    assert {p.line for p in snapshot.problems} == {3}


def fixture_lines() -> list[str]:
    lines: list[str] = []
    for path in sorted(FIXTURES.glob("*/*.txt")):
        text = path.read_text(errors="replace").splitlines()
        lines += [f"h# {path.stem.replace('-', ' ')}", *text[:40], ""]
    return lines


LINES = fixture_lines()


def check(snapshots: tuple[Snapshot, ...]) -> None:
    assert len({snapshot.host for snapshot in snapshots}) == len(snapshots)
    for snapshot in snapshots:
        for _, table in snapshot.tables():
            for row in table.rows:
                source = snapshot.sources[row.cite.source]
                assert source.text is not None
                last = source.first_line + source.text.count("\n")
                assert source.first_line <= row.cite.line <= last


@given(st.integers(0, 2**32), st.integers(1, 60))
@settings(max_examples=60)
def test_shuffled_fixtures_never_raise(seed: int, piece: int) -> None:
    chance = random.Random(seed)
    start = chance.randrange(len(LINES))
    lines = LINES[start : start + 200]
    pieces = [lines[at : at + piece] for at in range(0, len(lines), piece)]
    chance.shuffle(pieces)
    check(paste("\n".join(line for part in pieces for line in part)))


@given(st.integers(0, 2**32))
@settings(max_examples=60)
def test_damaged_fixtures_never_raise(seed: int) -> None:
    chance = random.Random(seed)
    start = chance.randrange(len(LINES))
    data = bytearray("\n".join(LINES[start : start + 150]).encode())
    for _ in range(chance.randrange(40)):
        at = chance.randrange(len(data) or 1)
        if chance.random() < 0.5 and data:
            data[at] = chance.randrange(256)
        else:
            del data[at : at + chance.randrange(30)]
    check(paste(bytes(data)))


@given(st.text(max_size=300))
@settings(max_examples=60)
def test_any_text_never_raises(text: str) -> None:
    check(paste(text.encode("utf-8", "replace")))


def test_long_prose_needs_no_memory() -> None:
    """Nothing of what is not recognised is kept."""

    class Prose(io.RawIOBase):
        def __iter__(self) -> "Prose":
            self.left = 100_000
            return self

        def __next__(self) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise StopIteration
            return b"It was the best of times, it was the worst of times.\n"

    tracemalloc.start()
    read_paste(Prose(), "long.txt")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_what_a_program_complained_of_is_told_and_is_no_listing() -> None:
    snapshot = one(
        "h# hostnamectl\n!! System has not been booted with systemd\nh# uname -r\n6.1.0\n"
    )
    assert [(p.line, p.message) for p in snapshot.problems] == [
        (2, "System has not been booted with systemd")
    ]
    assert snapshot.unread.rows == ()
    assert [k.release for k in snapshot.kernels.rows] == ["6.1.0"]

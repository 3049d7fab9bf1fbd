"""Bytes of unknown origin as clean lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopback.sources import lines as lines_module
from hopback.sources.lines import Lines, Refused, is_cut


def read(data: bytes) -> tuple[list[str], list[tuple[int, str]]]:
    found = Lines(data.splitlines(keepends=True), "x")
    return list(found), [(p.line, p.message) for p in found.problems]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"plain\n", "plain"),
        (b"dos\r\n", "dos"),
        (b"\xef\xbb\xbfbom\n", "bom"),
        (b"\x1b[1;31mred\x1b[0m\n", "red"),
        (b"\x1b]0;title\x07host# ip a\n", "host# ip a"),
        (b"\x1b(Bip\x1b[K\n", "ip"),
        (b"a\tb\n", "a\tb"),
        ("• Übung\n".encode(), "• Übung"),
    ],
)
def test_cleaned(data: bytes, line: str) -> None:
    assert read(data) == ([line], [])


def test_latin1_line_is_read_and_told() -> None:
    found, problems = read(b"fine\nB\xfccher\nM\xfcll\n")
    assert found == ["fine", "Bücher", "Müll"]
    assert problems == [(2, "not UTF-8: read as Latin-1 (2 such lines)")]


def test_nul_bytes_are_dropped_and_told() -> None:
    assert read(b"a\0b\n") == (["ab"], [(1, "NUL bytes dropped (1 such lines)")])


def test_limit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "INPUT_MAX", 1 << 20)
    with pytest.raises(Refused, match=r"big\.txt: larger than 256 MiB"):
        list(Lines([b"x" * 1000 + b"\n"] * 1100, "big.txt"))


@pytest.mark.parametrize(
    "line", ["[...]", "a [...] b", "…", "<snip>", "--- cut ---", "[snip]", " ... ", "-->8---"]
)
def test_cut_mark(line: str) -> None:
    assert is_cut(line)


@pytest.mark.parametrize("line", ["", "plain", "a...b", "fe80::1/64", "-----", "cut it", "[ok]"])
def test_no_cut_mark(line: str) -> None:
    assert not is_cut(line)


@given(st.binary(max_size=200))
def test_any_bytes_give_clean_lines(data: bytes) -> None:
    for line in read(data)[0]:
        assert not any(char < " " and char != "\t" for char in line)
        line.encode()


def test_binary_is_refused_and_utf_16_is_not() -> None:
    with pytest.raises(Refused, match="tool: binary, not text"):
        list(Lines([bytes(range(256)) * 8], "tool"))
    text = "br0: port 1(vnet0) entered forwarding state\n" * 40
    assert len(list(Lines([text.encode("utf-16")], "windows.txt"))) == 1
    assert list(Lines([b"one\0NUL\n"], "log")) == ["oneNUL"]

"""Pages: nothing wider than told, nothing that a terminal would obey."""

from hypothesis import given
from hypothesis import strategies as st

from hopback.render.page import Page, Span, plain, printable

WORDS = st.lists(st.text(st.characters(codec="utf-8"), max_size=30), max_size=20).map(" ".join)


@given(WORDS, st.integers(0, 12))
def test_prose_and_quotes_fit(text: str, indent: int) -> None:
    page = Page(60)
    page.say(text, indent, lead="- ")
    page.quote(text, indent, "  12  ")
    assert all(len(line) <= 60 for line in plain(page.lines).splitlines())


@given(st.text())
def test_no_control_characters_are_left(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(c == " " or c.isprintable() or c.isspace() for c in shown if ord(c) < 0xA0)
    assert not set(shown) & set("\x1b\x07\x9b\r\n\u202e\u2066")


def test_a_command_stays_on_its_line() -> None:
    page = Page(20)
    command = "bridge fdb show br brq5dddda71-76 | grep fa:16:3e:56:ea:fa"
    page.exact(f"$ {command}", 2)
    assert plain(page.lines) == f"  $ {command}\n"


def test_a_quote_takes_two_lines_at_most() -> None:
    page = Page(40)
    page.quote("word " * 40, 2, "  7  ")
    first, second = plain(page.lines).splitlines()
    assert first.startswith("    7  word")
    assert second.endswith("…")


def test_blank_lines_do_not_pile_up() -> None:
    page = Page()
    page.blank()
    page.spans(Span("one"))
    page.blank()
    page.blank()
    page.spans(Span("two", "bad"))
    assert plain(page.lines) == "one\n\ntwo\n"

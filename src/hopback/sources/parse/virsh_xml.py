"""libvirt XML: ``virsh dumpxml``, ``nwfilter-dumpxml``, ``nwfilter-binding-dumpxml``.

A document that is whole goes through a real XML parser; what ``grep -A 5 interface`` left of one
is read tag by tag. Both feed one reader. A document with a DTD or entities is refused: libvirt
writes none, and expanding them is how XML bombs work.
"""

import re
from collections.abc import Iterator, Sequence
from html import unescape
from typing import Any, NamedTuple

from hopback.snapshot.rows import Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import argument
from hopback.sources.parse.libvirt_reader import LibvirtReader
from hopback.sources.parse.listing import stray

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("virsh", "dumpxml"),
    ("virsh", "nwfilter-dumpxml"),
    ("virsh", "nwfilter-binding-dumpxml"),
    ("cat", "/etc/libvirt/nwfilter/|/run/libvirt/nwfilter-binding/"),
)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*<(?:domain(?: type=|>)|interface type=|filterbinding>|filter name=|mac address=)"
)
FILLS: tuple[type[Row], ...] = ()  # one guest's document says nothing of the others

_ROOT = re.compile(r"\s*<(domain|filterbinding|filter)(?=[\s>])")
_EMPTY_ROOT = re.compile(r"[^<]*<[^<>]*/>")
_PROLOGUE = re.compile(r"\s*<(?:\?xml\b|!DOCTYPE\b)", re.IGNORECASE)
_DTD = re.compile(r"<!(?:DOCTYPE|ENTITY)\b", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([A-Za-z_][\w.:-]*+)([^<>]*?)(/?)>([^<>]*)")
_ATTRIBUTE = re.compile(r"(?<![\w.:-])([\w.:-]+)\s*=\s*(?:'([^'<>]*)'|\"([^\"<>]*)\")")
_COMMENT_START = re.compile(r"\s*<!--")
_COMMENT_LINES_MAX = 40
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)")


class _Span(NamedTuple):
    """The lines from ``start`` up to ``end``: one document, or what lies between documents."""

    start: int
    end: int
    document: bool


def parse(text: Text) -> Parsed:
    """Guests, interfaces and the nwfilters they refer to; nwfilters and what they are bound to.

    A DTD makes one problem and its document is skipped; malformed XML makes one problem and what
    can be recognised in it is used. ``source`` is the bridge where a document names both a
    network and its bridge.
    """
    reader = LibvirtReader(text, argument(text.command, "dumpxml"))
    problems: list[Problem] = []
    for span in _spans(text.lines):
        if span.document:
            problems += _read_document(text, span, reader)
        else:
            problems += _read_pieces(text, span, reader, strict=text.strict)
        reader.cut()
    return Parsed(reader.rows, problems)


def _spans(lines: Sequence[str]) -> Iterator[_Span]:
    done = at = 0
    while at < len(lines):
        if not (_PROLOGUE.match(lines[at]) or _ROOT.match(lines[at]) or _is_preface(lines, at)):
            at += 1
            continue
        if done < at:
            yield _Span(done, at, False)
        done = _document_end(lines, at)
        yield _Span(at, done, True)
        at = done
    if done < len(lines):
        yield _Span(done, len(lines), False)


def _is_preface(lines: Sequence[str], at: int) -> bool:
    """Whether a comment begins that stands before a document, as in libvirt's own files."""
    end = _comment_end(lines, at)
    after = (line for line in lines[end + 1 : end + 3] if line.strip())
    return end > at and _ROOT.match(next(after, "")) is not None


def _comment_end(lines: Sequence[str], at: int) -> int:
    """The last line of the comment that begins at this line; the line itself if none does."""
    if not _COMMENT_START.match(lines[at]):
        return at
    there = range(at, min(at + _COMMENT_LINES_MAX, len(lines)))
    return next((end for end in there if "-->" in lines[end]), at)


def _document_end(lines: Sequence[str], start: int) -> int:
    """Behind the root's end tag; without one, where another document begins or the text ends."""
    root = ""
    for at in range(start, len(lines)):
        opened = _ROOT.match(lines[at])
        if opened and root:
            return at
        if opened:
            root = opened[1]
            if _EMPTY_ROOT.match(lines[at]):
                return at + 1
        if root and f"</{root}>" in lines[at]:
            return at + 1
    return len(lines)


def _is_open(lines: Sequence[str], span: _Span) -> bool:
    """Whether the document's end was cut off; a DTD is refused even so."""
    roots = [match[1] for line in lines[span.start : span.end] if (match := _ROOT.match(line))]
    last = lines[span.end - 1]
    if not roots or any(_DTD.search(line) for line in lines[span.start : span.end]):
        return False
    return f"</{roots[0]}>" not in last and not last.rstrip().endswith("/>")


class _Events:
    """The target of the XML parser: notes the tags, and gives them only when all was well."""

    def __init__(self) -> None:
        self.parser: Any = None
        self.noted: list[tuple[int, str, str, dict[str, str]]] = []
        self._data: list[str] = []

    def _note(self, what: str, name: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber - 1
        data = "".join(self._data).strip()
        self._data.clear()
        if data:
            self.noted.append((line, "text", data, {}))
        self.noted.append((line, what, name, attributes))

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._note("start", tag, attributes)

    def end(self, tag: str) -> None:
        self._note("end", tag, {})

    def data(self, data: str) -> None:
        self._data.append(data)

    def close(self) -> None:
        return None


def _read_document(text: Text, span: _Span, reader: LibvirtReader) -> Iterator[Problem]:
    if _is_open(text.lines, span):
        yield text.problem(span.start, "XML that has no end, read as far as possible")
        yield from _read_pieces(text, span, reader, strict=False, damaged=True)
        return
    # Most texts show pieces of a document at most.
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import DefusedXMLParser, ParseError

    events = _Events()
    parser = DefusedXMLParser(target=events, forbid_dtd=True)
    events.parser = parser.parser
    try:
        parser.feed("\n".join(text.lines[span.start : span.end]).lstrip(" \t"))
        parser.close()
    except DefusedXmlException:
        yield text.problem(span.start, "XML with a DTD or entities is refused")
        return
    except (ParseError, ValueError) as error:
        line = getattr(error, "position", (1, 0))[0]
        at = min(span.start + max(line, 1), span.end) - 1
        reason = str(error).partition(": line ")[0]  # expat counts from the document's first line
        yield text.problem(at, f"malformed XML, read as far as possible ({reason})")
        yield from _read_pieces(text, span, reader, strict=False, damaged=True)
        return
    for line, what, name, attributes in events.noted:
        _tell(reader, span.start + line, what, name, attributes)


def _read_pieces(
    text: Text, span: _Span, reader: LibvirtReader, strict: bool, damaged: bool = False
) -> Iterator[Problem]:
    """Tag by tag; of a damaged document nothing is taken for whole."""
    commented = span.start - 1
    for at in range(span.start, span.end):
        if at <= commented:
            continue
        commented = _comment_end(text.lines, at) if strict else at
        line = _COMMENT.sub("", text.lines[at])
        if line.strip() == "--":
            reader.cut()
        elif strict and line.strip() and "<" not in line:
            yield from stray(text, at, "libvirt XML")
        for close, tag, body, empty, data in _TAG.findall(line):
            if close and tag == "filter" and damaged:
                reader.cut()
                continue
            if close:
                reader.end(tag)
                continue
            attributes = {k: unescape(a or b) for k, a, b in _ATTRIBUTE.findall(body)}
            _tell(reader, at, "start", tag, attributes)
            if empty:
                reader.end(tag)
            elif data.strip():
                reader.text(at, unescape(data.strip()))


def _tell(
    reader: LibvirtReader, index: int, what: str, name: str, attributes: dict[str, str]
) -> None:
    if what == "start":
        reader.start(index, name, attributes)
    elif what == "end":
        reader.end(name)
    else:
        reader.text(index, name)

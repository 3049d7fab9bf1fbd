"""The text behind a citation, for people to look at."""

import re
from itertools import islice

from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import rows_at
from hopback.snapshot.render import render
from hopback.snapshot.table import Cite, Source

_LINE_MAX = 200
_LINE_END = re.compile("\n")


def quote(snapshot: Snapshot, cite: Cite) -> str:
    """The cited line as it was read.

    Where there was no text (live tables), where it is JSON, or where the line is too long to show,
    the cited rows as iproute2 would print them; "" if the citation points nowhere.
    """
    if not 0 <= cite.source < len(snapshot.sources):
        return ""
    line = _line(snapshot.sources[cite.source], cite.line)
    if line is not None and len(line) <= _LINE_MAX and not cite.item:
        return line.strip()
    rows = rows_at(snapshot, cite)
    if rows:
        return "; ".join(dict.fromkeys(render(row) for row in rows))
    return line[: _LINE_MAX - 1] + "…" if line else ""


def _line(source: Source, number: int) -> str | None:
    """One line of the source's text, found without cutting up the rest."""
    skip = number - source.first_line
    # A text has no more lines than characters, whatever number a file claims.
    if source.text is None or not 0 <= skip <= len(source.text):
        return None
    start = 0
    if skip:
        end = next(islice(_LINE_END.finditer(source.text), skip - 1, None), None)
        if end is None:
            return None
        start = end.end()
    stop = source.text.find("\n", start)
    return source.text[start:] if stop < 0 else source.text[start:stop]

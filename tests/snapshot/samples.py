"""Strategies for rows and snapshots, made from the row types themselves."""

import typing
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct

from hopback.frames.mac import BROADCAST, Mac
from hopback.snapshot.model import TABLES, Snapshot
from hopback.snapshot.rows import NextHop
from hopback.snapshot.table import Cite, Extent, Problem, Rows, Source

SOURCES = 3

names = st.text(st.characters(codec="utf-8"), max_size=8)
cites = st.builds(Cite, st.integers(0, SOURCES - 1), st.integers(0, 99))
_KNOWN: dict[Any, st.SearchStrategy[Any]] = {
    Mac: st.integers(0, BROADCAST),
    Cite: cites,
    NextHop: st.builds(NextHop, dev=st.none() | names, via=st.none() | names),
    str: names,
    int: st.integers(-(2**62), 2**62),
    bool: st.booleans(),
}


def of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    if hint in _KNOWN:
        return _KNOWN[hint]
    if typing.get_origin(hint) is typing.Literal:
        return st.sampled_from(typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        first, *others = typing.get_args(hint)
        if others == [...]:
            return st.lists(of(first), max_size=2).map(tuple)
        return st.tuples(of(first), *map(of, others))
    if hint is type(None):
        return st.none()
    if isinstance(hint, type) and issubclass(hint, Struct):
        return rows(hint)
    return st.one_of(*(of(one) for one in typing.get_args(hint)))


def rows(kind: type[Struct]) -> st.SearchStrategy[Any]:
    """Rows of one type, or the parts of one."""
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: of(hints[name]) for name in kind.__struct_fields__})


any_row = st.one_of(*map(rows, TABLES))

_extents = st.builds(
    Extent, st.integers(0, SOURCES - 1), netns=names, dev=names, complete=st.booleans()
)
_sources = st.tuples(
    *[st.builds(Source, names, names, st.integers(1, 9), st.none() | names)] * SOURCES
)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Snapshots with a few tables filled."""
    kinds = draw(st.lists(st.sampled_from(list(TABLES)), max_size=3, unique=True))
    tables = {
        TABLES[kind]: Rows(
            tuple(draw(st.lists(rows(kind), max_size=4))),
            tuple(draw(st.lists(_extents, max_size=2))),
        )
        for kind in kinds
    }
    return Snapshot(
        draw(names),
        draw(st.none() | st.integers(0, 2**62)),
        draw(_sources),
        tuple(draw(st.lists(st.builds(Problem, names, st.integers(0, 9), names), max_size=2))),
        **tables,
    )

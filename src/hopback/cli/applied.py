"""What was applied to this host: listed, confirmed, undone."""

import click

from hopback.cli import exits
from hopback.cli.apply import code_of
from hopback.cli.output import complain, emit, page_width, show
from hopback.remedies.apply.ask import ask
from hopback.remedies.apply.keeper import Wish
from hopback.remedies.apply.record import Record
from hopback.remedies.apply.store import Busy, Store
from hopback.render.fix_json_v1 import fix_json
from hopback.render.fix_text import render_record, render_records
from hopback.sources.live.system import ids

__all__ = ["Wish", "end", "show_list"]


def show_list(as_json: bool, color: str) -> int:
    """Print all records, the latest last."""
    store = Store()
    records = _all(store)
    if as_json:
        emit(fix_json(None, (), records))
    else:
        show(render_records(records, ids()[1], store.is_locked(), page_width()), color)
    return exits.CLEAR


def end(wanted: str, wish: Wish, as_json: bool, color: str) -> int:
    """Confirm or undo the record of this id; the exit code tells whether it is so."""
    store = Store()
    record = next((r for r in _all(store) if r.id == wanted), None)
    if record is None:
        known = ", ".join(r.id for r in store.all_unfinished()) or "none"
        raise click.UsageError(f"no fix was applied under the id {wanted!r} (waiting: {known})")
    if record.boot_id != ids()[1]:
        complain(f"the host was rebooted since: what {wanted} changed is gone")
        return exits.CLEAR if wish == "undo" else exits.FOUND
    try:
        ended = ask(store, record, wish)
    except Busy:
        complain("somebody else is applying a fix just now; try again")
        return exits.FOUND
    except OSError as error:
        complain(f"cannot write {error.filename}: {error.strerror}")
        return exits.UNREAD
    if as_json:
        emit(fix_json(None, (), (ended,)))
    else:
        show(render_record(ended, page_width()), color)
    if wish == "undo" and ended.state == "undone":
        return exits.CLEAR
    return code_of(ended)


def _all(store: Store) -> list[Record]:
    """The log, and over it what is on its way."""
    every = {r.id: r for r in (*store.past(), *store.all_unfinished())}
    return sorted(every.values(), key=lambda r: r.at)

"""Snapshot files: gzip-compressed JSON that names its schema and its version."""

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import get_type_hints

import msgspec

from hopback.frames.mac import BROADCAST, Mac
from hopback.snapshot.model import TABLES, Snapshot
from hopback.snapshot.rows import Row

SCHEMA = "hopback.snapshot/1"
INFLATED_MAX = 1 << 30
"""The most bytes a file may inflate to."""

_NAME, _VERSION = SCHEMA.split("/")
_GZIP_MAGIC = b"\x1f\x8b"


class CodecError(ValueError):
    """Not a snapshot file that can be read; the message says why and names the field."""


class _Head(msgspec.Struct):
    schema: str


class _File(msgspec.Struct, frozen=True):
    schema: str
    snapshots: tuple[Snapshot, ...]


def dump(snapshots: Iterable[Snapshot]) -> bytes:
    """The snapshots as a file; the same snapshots give the same bytes."""
    plain = msgspec.json.encode(_File(SCHEMA, tuple(snapshots)))
    return gzip.compress(plain, compresslevel=6, mtime=0)


def is_snapshot(head: bytes) -> bool:
    """Whether a file that begins with these bytes (512 will do) claims to be a snapshot file."""
    if head.startswith(_GZIP_MAGIC):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, 256)
        except zlib.error:
            return False
    return head.lstrip().startswith(b'{"schema":') and _NAME.encode() in head[:64]


def load(data: bytes) -> tuple[Snapshot, ...]:
    """The snapshots of a file, compressed or not.

    Raises CodecError, naming the path of the first bad field, or the version if it is unknown.
    """
    plain = _inflate(data) if data.startswith(_GZIP_MAGIC) else data
    try:
        _check_schema(msgspec.json.decode(plain, type=_Head).schema)
        snapshots = msgspec.json.decode(plain, type=_File).snapshots
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CodecError(f"not a snapshot: {error}") from error
    for fault in _faults(snapshots):
        raise CodecError(f"not a snapshot: {fault}")
    return snapshots


def _inflate(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            plain = file.read(INFLATED_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise CodecError(f"damaged: {error}") from error
    if len(plain) > INFLATED_MAX:
        raise CodecError(f"inflates to more than {INFLATED_MAX >> 20} MiB, the most I read")
    return plain


def _check_schema(schema: str) -> None:
    name, _, version = schema.partition("/")
    if name != _NAME:
        raise CodecError(f"not a snapshot: its schema is {schema!r}")
    if version != _VERSION:
        raise CodecError(f"{schema} was written by another hopback; this one reads {SCHEMA}")


def _faults(snapshots: tuple[Snapshot, ...]) -> Iterator[str]:
    """What types cannot say: citations of sources that exist, addresses of 48 bits."""
    for number, snapshot in enumerate(snapshots):
        sources = len(snapshot.sources)
        for kind, table in TABLES.items():
            macs = _MAC_FIELDS[kind]
            found = getattr(snapshot, table)
            for at, row in enumerate(found.rows):
                path = f"$.snapshots[{number}].{table}.rows[{at}]"
                if not 0 <= row.cite.source < sources or row.cite.line < 0:
                    yield f"no such source or line - at `{path}.cite`"
                for name in macs:
                    if not 0 <= (getattr(row, name) or 0) <= BROADCAST:
                        yield f"not a MAC address - at `{path}.{name}`"
            for at, extent in enumerate(getattr(found, "extents", ())):
                if not 0 <= extent.source < sources:
                    path = f"$.snapshots[{number}].{table}.extents[{at}].source"
                    yield f"no such source - at `{path}`"


def _mac_fields(kind: type[Row]) -> tuple[str, ...]:
    hints = get_type_hints(kind)
    return tuple(name for name, hint in hints.items() if hint in (Mac, Mac | None))


_MAC_FIELDS = {kind: _mac_fields(kind) for kind in TABLES}

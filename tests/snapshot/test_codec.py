"""Snapshot files: what goes in comes out, and what cannot be read says why."""

import gzip
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopback.frames.mac import Mac
from hopback.snapshot import codec
from hopback.snapshot.codec import CodecError, dump, is_snapshot, load
from hopback.snapshot.model import Builder, Snapshot
from hopback.snapshot.rows import Fdb
from hopback.snapshot.table import Cite, Extent, Source
from tests.snapshot.samples import snapshots


def small() -> Snapshot:
    builder = Builder("h1", at=5)
    number = builder.open(Source("bridge fdb show", "fdb.txt", 1, "fa:16:3e:56:ea:fa dev bond0"))
    row = Fdb(cite=Cite(number, 1), mac=Mac(0xFA163E56EAFA), dev="bond0")
    builder.add([row], fills=[Fdb], extent=Extent(number))
    return builder.build()


def document() -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(gzip.decompress(dump([small()])))
    return plain


@given(st.lists(snapshots(), max_size=2))
@settings(max_examples=40, deadline=None)
def test_round_trip(given_snapshots: list[Snapshot]) -> None:
    assert load(dump(given_snapshots)) == tuple(given_snapshots)


def test_same_snapshots_same_bytes() -> None:
    assert dump([small()]) == dump([small()])


def test_uncompressed_file_is_read() -> None:
    assert load(gzip.decompress(dump([small()]))) == (small(),)


def test_head_tells_snapshot() -> None:
    data = dump([small()])
    assert is_snapshot(data[:512])
    assert is_snapshot(gzip.decompress(data)[:512])
    assert not is_snapshot(gzip.compress(b"just text"))
    assert not is_snapshot(b"\x1f\x8bdamaged")
    assert not is_snapshot(b'[{"ifindex":1}]')


def test_file_names_its_schema() -> None:
    assert document()["schema"] == "hopback.snapshot/1"


def test_newer_version_is_named() -> None:
    plain = document() | {"schema": "hopback.snapshot/2", "snapshots": "anything"}
    with pytest.raises(CodecError, match=r"hopback\.snapshot/2 .* reads hopback\.snapshot/1"):
        load(msgspec.json.encode(plain))


def test_other_schema_is_named() -> None:
    with pytest.raises(CodecError, match=r"its schema is 'hopback\.check/1'"):
        load(b'{"schema": "hopback.check/1"}')


def edit(change: dict[str, Any]) -> bytes:
    plain = document()
    plain["snapshots"][0]["fdb"]["rows"][0] |= change
    return msgspec.json.encode(plain)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"mac": "fa:16"}, r"\$.snapshots\[0\].fdb.rows\[0\].mac"),
        ({"mac": 1 << 48}, r"\$.snapshots\[0\].fdb.rows\[0\].mac"),
        ({"mac": -1}, r"\$.snapshots\[0\].fdb.rows\[0\].mac"),
        ({"cite": [1, 1]}, r"\$.snapshots\[0\].fdb.rows\[0\].cite"),
        ({"cite": [-1, 1]}, r"\$.snapshots\[0\].fdb.rows\[0\].cite"),
        ({"cite": [0, -1]}, r"\$.snapshots\[0\].fdb.rows\[0\].cite"),
        ({"vlan": "ten"}, r"\$.snapshots\[0\].fdb.rows\[0\].vlan"),
    ],
)
def test_bad_field_is_named_by_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(CodecError, match=path):
        load(edit(change))


def test_extent_of_no_source_is_named() -> None:
    plain = document()
    plain["snapshots"][0]["fdb"]["extents"][0]["source"] = 7
    with pytest.raises(CodecError, match=r"fdb.extents\[0\].source"):
        load(msgspec.json.encode(plain))


DEEP = (
    b'{"schema":"hopback.snapshot/1","snapshots":[{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}]}"
)


@pytest.mark.parametrize("data", [DEEP, b"", b"{", b"\xff\xfe", b"\x1f\x8b", dump([small()])[:40]])
def test_damage_is_an_error(data: bytes) -> None:
    with pytest.raises(CodecError):
        load(data)


def test_inflation_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "INFLATED_MAX", 1 << 20)
    with pytest.raises(CodecError, match="more than 1 MiB"):
        load(gzip.compress(b" " * (2 << 20)))

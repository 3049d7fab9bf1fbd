"""Version 1 of the JSON: the field names are a promise."""

from collections.abc import Iterator
from typing import Any

import msgspec

from hopback.checks.diagnose import diagnose
from hopback.remedies.attach import with_remedies
from hopback.render.json_v1 import check_json
from hopback.sources.open import open_source
from tests.reconstructions import PASTE

PROMISED = {
    "": "schema verdict proved sentence hosts findings next gaps problems unproved trusted",
    "findings": "check group severity evidence confidence host subject summary because path"
    " details explains alternatives fixes",
    "findings.because": "rule source line text host",
    "findings.path": "host device direction frame why",
    "findings.fixes": "name host commands undo afterwards safe proved rejected_because keeps"
    " limits blast_radius files persistence",
    "findings.fixes.files": "path content",
    "findings.fixes.persistence": "where lines",
    "next": "host command why",
    "gaps": "host table reason",
}


def objects(value: Any, at: str = "") -> Iterator[tuple[str, set[str]]]:
    """The keys of every object, by the names that lead to it."""
    if isinstance(value, list):
        for item in value:
            yield from objects(item, at)
    elif isinstance(value, dict):
        yield at, set(value)
        for key, item in value.items():
            if key != "details":
                yield from objects(item, f"{at}.{key}".lstrip("."))


def test_the_fields_are_those_promised() -> None:
    opened = open_source(str(PASTE))
    report = with_remedies(opened.snapshots, diagnose(opened.snapshots))
    document = msgspec.json.decode(check_json(report))
    assert {"", "findings.because", "findings.fixes"} <= dict(objects(document)).keys()
    for at, keys in objects(document):
        assert keys == set(PROMISED[at].split())


def test_it_ends_with_a_line_end_and_is_stable() -> None:
    opened = open_source(str(PASTE))
    one, other = (check_json(diagnose(opened.snapshots)) for _ in range(2))
    assert one == other
    assert one.endswith(b"}\n")

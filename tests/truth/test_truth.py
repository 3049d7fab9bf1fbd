"""A share of ``make truth``: on these rows model, proof and kernel have to agree."""

import pytest

from hopback.remedies import alternatives, hairpin_off, port_filter
from hopback.remedies.remedy import Remedy
from tests.truth.tables import (
    NATS,
    SCENES,
    SETTINGS,
    Nat,
    Row,
    Scene,
    Setting,
    fixes,
    floating,
    settings,
)

pytestmark = pytest.mark.kernel("busybox", "nft", "ebtables", "sysctl")

SHARE: tuple[Remedy, ...] = (hairpin_off.REMEDY, port_filter.REMEDY, *alternatives.REMEDIES[:2])


def told(row: Row) -> str:
    return f"{row.table}, {row.name}: model {row.model}, kernel {row.kernel}, {row.proof}"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_duplicate_detection(setting: Setting) -> None:
    (row,) = settings((setting,))
    assert row.agrees, told(row)


@pytest.mark.parametrize("scene", SCENES)
def test_fixes(scene: Scene) -> None:
    rows = list(fixes(scene, SHARE))
    assert [told(row) for row in rows if not row.agrees] == []
    assert rows[0].kernel["duplicate detection"] == "failed", "there is something to be mended"
    assert len(rows) == 1 + len(SHARE)


@pytest.mark.parametrize("nat", NATS[:4], ids=str)
def test_the_floating_address(nat: Nat) -> None:
    (row,) = floating((nat,))
    assert row.agrees, told(row)

"""What keepalived logs, in the spellings of its versions."""

import pytest

from hopback.snapshot.rows import VrrpEvent
from hopback.sources.parse import kernel_log
from tests.sources.parse.given import listing, pasted, recorded, rows

SECOND = 10**9


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("(VI_1) Entering MASTER STATE", ("VI_1", "master", None)),
        ("(VI_1) Entering BACKUP STATE (init)", ("VI_1", "backup", None)),
        ("(web): entering FAULT state (interface eth0 down)", ("web", "fault", None)),
        ("(VI_1) Entering FAULT STATE", ("VI_1", "fault", None)),
        ("VRRP_Instance(VI_1) Transition to MASTER STATE", ("VI_1", "master", None)),
        ("VRRP_Instance(VI_1): Entering BACKUP STATE", ("VI_1", "backup", None)),
        ("VRRP_Instance(VI 2) Now in FAULT state", ("VI 2", "fault", None)),
        (
            "(VI_1) Received advert from 192.0.2.12 with lower priority 90, ours 100, forcing new"
            " election",
            ("VI_1", "master", "192.0.2.12"),
        ),
        (
            "(VI_1) Master received advert from 192.0.2.12 with higher priority 110, ours 100",
            ("VI_1", "master", "192.0.2.12"),
        ),
        (
            "VRRP_Instance(VI_1) Received advert with lower priority 90, ours 100, forcing new"
            " election",
            ("VI_1", "master", ""),
        ),
        (
            "VRRP_Instance(VI_1) Received lower prio advert, forcing new election",
            ("VI_1", "master", ""),
        ),
        (
            "(VI_1) received lower priority (90) advert from 192.0.2.12 - discarding",
            ("VI_1", "backup", "192.0.2.12"),
        ),
        ("VRRP_Group(G1) Syncing instances to MASTER state", None),
        ("(VI_1) Backup received priority 0 advertisement", None),
        ("(VI_1) Receive advertisement timeout", None),
        ("the host (web1) Entering MASTER mode", None),
    ],
)
def test_messages(line: str, told: tuple[str, str, str | None] | None) -> None:
    found = rows(
        kernel_log.parse(pasted(f"Nov 20 10:00:01 a Keepalived_vrrp[705]: {line}")), VrrpEvent
    )
    assert [(row.name, row.state, row.heard) for row in found] == ([told] if told else [])
    assert kernel_log.SHAPE is not None
    assert not told or kernel_log.SHAPE.match(line)


@pytest.mark.parametrize(
    "prefix",
    [
        "Fri Nov 20 17:24:{:02}.5 2026: ",
        "Nov 20 17:24:{:02}.5 lb1 Keepalived_vrrp[705]: ",
        "2026-11-20T17:24:{:02}.5+01:00 lb1 Keepalived_vrrp[705]: ",
        "Nov 20 17:24:{:02}.5 lb1 Keepalived[705]: ",
    ],
)
def test_times(prefix: str) -> None:
    lines = [f"{prefix.format(second)}(VI_1) Entering MASTER STATE" for second in (15, 19)]
    first, second = rows(kernel_log.parse(listing("\n".join(lines))), VrrpEvent)
    assert first.at is not None
    assert second.at == first.at + 4 * SECOND


def test_recorded() -> None:
    """A director that keeps being master while it hears another one."""
    parsed = kernel_log.parse(recorded("directors/split/a/keepalived.log"))
    events = rows(parsed, VrrpEvent)
    assert [event.state for event in events] == ["backup"] + ["master"] * 5
    assert {event.heard for event in events[2:]} == {"192.0.2.12"}
    assert {event.name for event in events} == {"VI_1"}

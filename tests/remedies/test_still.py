"""Is the state that a plan was made from still there? Events and timers may go on."""

import pytest

from hopback.findings import Finding
from hopback.remedies.still import changes, cited_rows, stranger
from hopback.snapshot.model import Snapshot
from tests.build import GUEST0, HYPERVISOR, TWIN0, dmesg, domiflist, fdb, only, own_address, pasted
from tests.build import report as diagnosed

OWN = f"{TWIN0} dev vnet0 master br0 permanent"
LOG = dmesg(own_address("eth0", TWIN0))


def host(*entries: str, log: str = LOG, links: str = HYPERVISOR) -> str:
    return links + domiflist(f"vnet0 br0 {GUEST0}") + fdb(*entries, OWN) + log


AWAY = host(f"{GUEST0} dev eth0 used 1/1 master br0")


def read(text: str) -> tuple[Snapshot, Finding]:
    (snapshot,) = pasted(text)
    return snapshot, only(diagnosed(text), "uplink-echo")


def since(text: str) -> tuple[str, ...]:
    """What is different in ``text`` from what the finding of AWAY rests on."""
    snapshot, finding = read(AWAY)
    (now,) = pasted(text)
    return changes(cited_rows(snapshot, finding), now)


def test_nothing_changed() -> None:
    assert since(AWAY) == ()


def test_timers_and_further_events_are_no_change() -> None:
    later = host(
        f"{GUEST0} dev eth0 used 9/9 master br0",
        log=dmesg(own_address("eth0", TWIN0), own_address("eth0", TWIN0)),
    )
    assert since(later) == ()


def test_other_rows_may_change() -> None:
    assert (
        since(host(f"{GUEST0} dev eth0 master br0", "52:54:00:00:00:99 dev eth0 master br0")) == ()
    )


def test_a_changed_row_is_named_with_what_it_says_now() -> None:
    assert since(host(f"{GUEST0} dev vnet0 master br0 static sticky")) == (
        f"was “{GUEST0} dev eth0 master br0”, is “{GUEST0} dev vnet0 master br0 static sticky”",
    )


def test_a_row_that_went_is_named() -> None:
    assert since(host()) == (f"is gone: “{GUEST0} dev eth0 master br0”",)


def test_line_numbers_do_not_matter() -> None:
    assert since("kvm1# uname -r\n6.12.0\n" + AWAY) == ()


def test_rows_of_the_same_text_in_another_namespace_are_not_taken() -> None:
    inside = AWAY.replace("kvm1# ", "kvm1# ip netns exec red ")
    snapshot, finding = read(inside)
    assert {row.netns for row in cited_rows(snapshot, finding)} == {"red"}
    (outside,) = pasted(AWAY)
    assert all(
        line.startswith("is gone") for line in changes(cited_rows(snapshot, finding), outside)
    )


IDENTITY = "kvm1# hostnamectl\n Static hostname: kvm1\n      Machine ID: {}\n         Boot ID: {}\n"
MACHINE, BOOT = "1" * 32, "2" * 32


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (IDENTITY.format(MACHINE, BOOT), None),
        (HYPERVISOR, "does not tell"),
        (IDENTITY.format("3" * 32, BOOT), "another machine"),
        (IDENTITY.format(MACHINE, "3" * 32), "reboot"),
    ],
)
def test_of_which_machine_a_snapshot_is(text: str, why: str | None) -> None:
    (snapshot,) = pasted(text)
    told = stranger(snapshot, MACHINE, BOOT)
    assert told is None if why is None else told is not None and why in told

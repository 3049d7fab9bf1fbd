"""Which fixes are shown, in which order, and which one is applied."""

import pytest
from msgspec.structs import replace

from hopback.checks.diagnose import diagnose
from hopback.findings import Finding, Fix, Report
from hopback.remedies.attach import with_remedies
from hopback.remedies.plans import NoneFit, NoSuch, choose, for_host, name_of, plans
from hopback.sources.open import open_source
from tests.reconstructions import PASTE


def fix(name: str, proved: bool = True, safe: bool = True, because: str | None = None) -> Fix:
    return Fix(
        name, "h", (f"bridge {name}",), (), safe=safe, proved=proved, rejected_because=because
    )


def finding(check: str, subject: str, *fixes: Fix) -> Finding:
    return Finding(
        check, "comes-back", "error", "reported", "likely", "h", subject, "It is.", fixes=fixes
    )


def report(*findings: Finding) -> Report:
    return Report("comes-back", "It is.", ("h",), findings)


def test_the_best_come_first() -> None:
    given = (
        fix("rejected", proved=False, because="no"),
        fix("unproved", proved=False),
        fix("unsafe", safe=False),
        fix("good"),
    )
    (plan,) = plans(report(finding("a", "x", *given), finding("b", "y")))
    assert [f.name for f in plan.fixes] == ["good", "unsafe", "unproved", "rejected"]


def test_a_finding_is_named_by_its_check_or_its_subject_too() -> None:
    mac = "52:54:00:00:00:01"
    given = report(finding("a", mac, fix("f")), finding("a", "y", fix("f")))
    assert [p.finding.subject for p in plans(given, "a")] == [mac, "y"]
    assert [p.finding.subject for p in plans(given, f"a:{mac}")] == [mac]
    assert name_of(given.findings[0]) == f"a:{mac}"
    with pytest.raises(NoSuch, match="a:y"):
        plans(given, "b")


def test_a_symptom_leads_to_the_cause_that_has_its_fix() -> None:
    opened = open_source(str(PASTE))
    given = with_remedies(opened.snapshots, diagnose(opened.snapshots))
    (plan,) = plans(given, "fdb-misplaced:fa:16:3e:56:ea:fa")
    assert name_of(plan.finding) == "uplink-echo:bond0.2222"


def test_only_what_is_for_the_host_itself_may_run_there() -> None:
    """A ring of two hosts is one finding, and its fixes may be for the other one."""
    there = replace(fix("there"), host="other")
    (offered,) = plans(report(finding("a", "x", there, fix("here"))))
    (own,) = for_host((offered,), "h")
    assert [f.name for f in own.fixes] == ["here"]
    with pytest.raises(NoneFit, match="the fixes are for other, not for this host"):
        for_host(plans(report(finding("a", "x", there))), "h")
    assert for_host((), "h") == ()


def test_the_first_that_is_proved_and_safe_is_chosen() -> None:
    given = plans(report(finding("a", "x", fix("unsafe", safe=False), fix("good"))))
    assert [f.name for f in choose(given).fixes] == ["good"]


def test_several_stations_are_treated_together() -> None:
    given = plans(report(finding("a", "x", fix("pin"), fix("pin"), fix("pin", proved=False))))
    assert [f.proved for f in choose(given, "pin").fixes] == [True, True]


@pytest.mark.parametrize(
    ("offered", "name", "why"),
    [
        (report(finding("a", "x", fix("f")), finding("a", "y", fix("f"))), None, "a:x, a:y"),
        (report(finding("a", "x", fix("f"))), "g", "there is: f"),
    ],
)
def test_what_is_not_enough_to_tell(offered: Report, name: str | None, why: str) -> None:
    with pytest.raises(NoSuch, match=why):
        choose(plans(offered), name)


@pytest.mark.parametrize(
    ("offered", "name", "why"),
    [
        (report(), None, "no fix is known"),
        (report(finding("a", "x", fix("f"), fix("g", proved=False))), "g", "not proved"),
        (report(finding("a", "x", fix("f", safe=False))), None, "may cut traffic"),
        (report(finding("a", "x", fix("f", False, because="it moves"))), "f", "it moves"),
    ],
)
def test_what_is_not_chosen_says_why(offered: Report, name: str | None, why: str) -> None:
    with pytest.raises(NoneFit, match=why):
        choose(plans(offered), name)

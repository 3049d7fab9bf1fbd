"""What can be done about a report: each finding's fixes, best first, and the one to be applied."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from hopback.findings import Finding, Fix, Report, accounts_for


class Plan(Struct, frozen=True):
    """A finding that has fixes, the best first."""

    finding: Finding
    fixes: tuple[Fix, ...]


class NoSuch(Exception):
    """What was named is not there, or not enough to tell; the message lists what there is."""


class NoneFit(Exception):
    """There is no fix that may be applied; the message says why."""


def plans(report: Report, wanted: str | None = None) -> tuple[Plan, ...]:
    """The findings that have fixes: all, or those that ``wanted`` (``check[:subject]``) names.

    For a symptom whose remedy stands with its cause, the cause is taken. Raises NoSuch if nothing
    has that name.
    """
    found = [f for f in report.findings if wanted is None or is_named(f, wanted)]
    if wanted is not None and not found:
        there = dict.fromkeys(name_of(f) for f in report.findings if f.fixes)
        raise NoSuch(f"no finding {wanted!r}; {_listed('fixes are known for', there)}")
    causes = [
        cause
        for finding in found
        if not finding.fixes
        for cause in report.findings
        if accounts_for(cause, finding)
    ]
    carrying = [f for f in report.findings if f.fixes and (f in found or f in causes)]
    return tuple(Plan(f, tuple(sorted(f.fixes, key=_rank))) for f in carrying)


def for_host(offered: Sequence[Plan], host: str) -> tuple[Plan, ...]:
    """The plans with the fixes for ``host`` alone: a finding about two hosts may have its fix on
    either. Raises NoneFit if all are for other hosts.
    """
    own = (Plan(p.finding, tuple(f for f in p.fixes if f.host == host)) for p in offered)
    found = tuple(plan for plan in own if plan.fixes)
    if offered and not found:
        others = dict.fromkeys(fix.host for plan in offered for fix in plan.fixes)
        raise NoneFit(f"the fixes are for {' and '.join(others)}, not for this host: run it there")
    return found


def is_named(finding: Finding, wanted: str) -> bool:
    """Whether ``wanted`` (``check``, or ``check:subject``) names it."""
    check, _, subject = wanted.partition(":")
    return finding.check == check and subject in ("", finding.subject)


def name_of(finding: Finding) -> str:
    """How a command line names it."""
    return f"{finding.check}:{finding.subject}"


def choose(offered: Sequence[Plan], name: str | None = None) -> Plan:
    """The one plan, with the fixes that are applied together: those of ``name``, or of the best.

    Several stations may need the same. Only what is proved and safe is chosen. Raises NoneFit, or
    NoSuch if several findings have one, or none has one of that name.
    """
    if not offered:
        raise NoneFit("no fix is known for what was found")
    if len(offered) > 1:
        raise NoSuch(_listed("say which finding to fix", (name_of(p.finding) for p in offered)))
    (plan,) = offered
    names = dict.fromkeys(f.name for f in plan.fixes)
    if name is not None and name not in names:
        raise NoSuch(f"no fix {name!r} for {name_of(plan.finding)}; {_listed('there is', names)}")
    wanted = [f for f in plan.fixes if name in (None, f.name)]
    fit = [f for f in wanted if objection(f) is None]
    if not fit:
        raise NoneFit(f"{wanted[0].name} is not applied: {objection(wanted[0])}")
    return Plan(plan.finding, tuple(f for f in fit if f.name == fit[0].name))


def objection(fix: Fix) -> str | None:
    """Why it is not applied; None if it may be."""
    if fix.rejected_because is not None:
        return f"rejected, as {fix.rejected_because}"
    if not fix.proved:
        return "it is not proved; run its commands by hand if you know better"
    return None if fix.safe else "it may cut traffic; run its commands by hand if you know better"


def _rank(fix: Fix) -> tuple[bool, bool, bool]:
    return fix.rejected_because is not None, not fix.proved, not fix.safe


def _listed(title: str, names: Iterable[str]) -> str:
    every = list(names)
    return f"{title}: {', '.join(every)}" if every else "no fix is known for any"

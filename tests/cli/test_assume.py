"""``--assume``: a kernel's release that no listing tells."""

import json

import pytest

from tests.cli.conftest import Run
from tests.sources.parse.given import FIXTURES

A, B = FIXTURES / "vm61-director-a", FIXTURES / "vm61-director-b"
KNOWN = FIXTURES / "vm61-bond"  # its uname says 6.1
RING = ("check", A, B, "--json", "--fail-on", "never")


def ring(run: Run, *words: object) -> dict[str, object]:
    report = json.loads(run(*RING, *words).stdout)
    (found,) = [f for f in report["findings"] if f["check"] == "ipvs-loop"]
    return dict(found)


def test_the_finding_cites_the_assumption(run: Run) -> None:
    before, after = ring(run), ring(run, "--assume", "kernel=4.4")
    assert "before Linux 4.10" in str(before["summary"])
    assert "for ever" in str(after["summary"])
    assert '"--assume kernel=4.4"' in json.dumps(after["because"])
    assert "--assume" not in json.dumps(before["because"])


def test_each_host_its_own(run: Run) -> None:
    words = ("--assume", "kernel=6.1", "--assume", "vm61-director-b:kernel=4.4.0-generic")
    because = json.dumps(ring(run, *words)["because"])
    assert "--assume kernel=6.1" in because
    assert "--assume vm61-director-b:kernel=4.4.0-generic" in because


def test_what_a_listing_tells_stays(run: Run) -> None:
    result = run("check", KNOWN, "--assume", "kernel=4.4")
    (line,) = [line for line in result.stderr.splitlines() if "--assume" in line]
    assert "6.1.0-56-amd64: that is taken" in line
    assert "--assume" not in run("check", KNOWN, "--assume", "kernel=6.1.0-56-amd64").stderr


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["kernel=new"], "[HOST:]kernel=RELEASE"),
        (["6.1"], "[HOST:]kernel=RELEASE"),
        (["kernel="], "[HOST:]kernel=RELEASE"),
        (["release=6.1"], "[HOST:]kernel=RELEASE"),
        (["kernel=6.1", "kernel=6.2"], "two kernels"),
        (["nobody:kernel=6.1"], "vm61-director-a, vm61-director-b"),
    ],
)
def test_usage(run: Run, values: list[str], said: str) -> None:
    result = run(*RING, *[word for value in values for word in ("--assume", value)])
    assert result.exit_code == 2
    assert said in result.stderr.splitlines()[-1]


def test_a_fix_is_not_applied_on_an_assumption(run: Run) -> None:
    assert run("fix", "live", "--apply", "--assume", "kernel=6.1").exit_code == 2


@pytest.mark.parametrize("verb", [["trace", "--to", "x", "--nd"], ["lab", "--plan"], ["fix"]])
def test_other_verbs_take_it(run: Run, verb: list[str]) -> None:
    result = run(verb[0], KNOWN, *verb[1:], "--assume", "kernel=4.4")
    assert "6.1.0-56-amd64: that is taken" in result.stderr

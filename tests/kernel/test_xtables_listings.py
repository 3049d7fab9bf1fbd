"""Random rules, loaded by iptables and ebtables: each of their listings gives the same rows."""

import random
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest
from msgspec.structs import replace

from hopback.lab.netns.namespace import Namespace
from hopback.snapshot.rows import (
    FilterChain,
    FilterRule,
    Match,
    Opaque,
    Step,
    Unsure,
    Verdict,
)
from hopback.sources.parse import nft, xtables
from hopback.sources.parse.base import Parsed, Text
from tests.rulesets.xtables import bridge_commands, ip_tables

pytestmark = pytest.mark.kernel("iptables", "ip6tables", "ebtables", "nft")

SEEDS = range(10)
TOOLS = ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy")
TABLES = ("filter", "mangle", "nat")
Rules = dict[tuple[str, str], list[tuple[Step, ...]]]


@pytest.fixture
def space() -> Iterator[None]:
    """A namespace of its own, entered."""
    with closing(Namespace.anonymous()) as made, made:
        yield


def run(*argv: str, given: str = "") -> str:
    done = subprocess.run(argv, input=given.encode(), capture_output=True, check=False, timeout=30)
    error = done.stderr.decode(errors="replace")
    if done.returncode and re.search(r"initiali[sz]e|[Nn]ot supported|doesn't support", error):
        pytest.skip(f"this kernel has no {argv[0]}: {error.strip()}")
    assert done.returncode == 0, f"{' '.join(argv)}: {error}\n{given}"
    return done.stdout.decode(errors="replace")


def read(text: str, *command: str) -> Parsed:
    parsed = xtables.parse(Text(0, command[0], text.splitlines(), command=command))
    assert parsed.problems == []
    return parsed


def rules(*listings: Parsed) -> Rules:
    """What each chain does, wording aside."""
    found: Rules = {}
    for parsed in listings:
        for row in parsed.rows:
            if isinstance(row, FilterRule):
                plain = tuple(replace(s, text="") if open_(s) else s for s in row.steps)
                found.setdefault((row.table, row.chain), []).append(plain)
    return found


def open_(step: Step) -> bool:
    return isinstance(step, Unsure | Opaque)


def chains(parsed: Parsed) -> dict[tuple[str, str], FilterChain]:
    return {(row.table, row.name): row for row in parsed.rows if isinstance(row, FilterChain)}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("seed", SEEDS)
def test_iptables(space: None, tool: str, seed: int) -> None:
    six = tool.startswith("ip6")
    given = ip_tables(random.Random(seed), six)
    run(f"{tool}-restore", given=given)
    saved = read(run(f"{tool}-save", "-c"), f"{tool}-save")
    assert sum(map(len, rules(saved).values())) == given.count("-A ")
    short = [read(run(tool, "-t", table, "-S"), tool, "-t", table) for table in TABLES]
    assert rules(*short) == rules(saved)
    long = [
        read(run(tool, "-t", table, "-nvxL", "--line-numbers"), tool, "-t", table)
        for table in TABLES
    ]
    as_good = [_agree(*pair) for pair in _pairs(rules(saved), rules(*long))]
    assert sum(as_good) > 0.8 * len(as_good)
    without = [read(run(tool, "-t", table, "-nL"), tool, "-t", table) for table in TABLES]
    for wanted, shown in _pairs(rules(saved), rules(*without)):
        assert shown[0] == Unsure("")
        _agree(_without_devices(wanted), shown[1:])
    assert chains(saved)["filter", "FORWARD"].policy == "drop"
    backends = {row.backend for row in chains(saved).values()}
    assert backends == {"nft" if tool.endswith("nft") else "legacy"}


def _pairs(wanted: Rules, shown: Rules) -> Iterator[tuple[tuple[Step, ...], tuple[Step, ...]]]:
    assert wanted.keys() == shown.keys()
    for key, own in wanted.items():
        yield from zip(own, shown[key], strict=True)


def _agree(wanted: tuple[Step, ...], shown: tuple[Step, ...]) -> bool:
    """Whether two listings of one rule say the same; a poorer one may leave more of it open.

    Behind a match that it does not know, ``-L`` cannot tell where the next begins.
    """
    if wanted == shown:
        return True
    assert any(isinstance(step, Opaque) for step in shown)
    assert {s for s in shown if isinstance(s, Match)} <= {s for s in wanted if isinstance(s, Match)}
    return False


def _without_devices(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    names = ("meta iifname", "meta oifname")
    return tuple(
        step for step in steps if not (isinstance(step, Match) and step.fields[0].key in names)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_ebtables(space: None, seed: int) -> None:
    for command in bridge_commands(random.Random(seed)):
        run("ebtables-nft", *command.split())
    saved = read(run("ebtables-nft-save"), "ebtables-nft-save")
    for options in ([], ["--Ln"], ["--Lc"], ["--Lmac2", "--Ln", "--Lc"]):
        listed = read(run("ebtables-nft", "-L", *options), "ebtables", "-L")
        assert rules(listed) == rules(saved)
        whole = {name: row.whole for (_, name), row in chains(listed).items()}
        assert [whole[name] for name in ("U", "V", "W", "FORWARD")] == [False] * 3 + [True]
    policies = {name: row.policy for (_, name), row in chains(saved).items()}
    assert [policies[name] for name in ("U", "V", "W")] == ["accept", "return", "drop"]


@pytest.mark.parametrize("tool", ["iptables-nft", "ip6tables-nft", "ebtables-nft"])
@pytest.mark.parametrize("seed", SEEDS)
def test_nft_says_the_same_where_it_says_all(space: None, tool: str, seed: int) -> None:
    """nft prints of x_tables' own matches only that they are there."""
    draw = random.Random(seed)
    if tool == "ebtables-nft":
        for command in bridge_commands(draw):
            run(tool, *command.split())
    else:
        run(f"{tool}-restore", given=ip_tables(draw, tool.startswith("ip6")))
    saved = read(run(f"{tool}-save"), f"{tool}-save")
    json = run("nft", "-j", "list", "ruleset")
    other = nft.parse(Text(0, "nft", json.splitlines(), command=("nft", "-j", "list", "ruleset")))
    hooks = {key: (row.hook, row.priority) for key, row in chains(saved).items()}
    for key, row in chains(other).items():
        assert (row.hook, row.priority) == hooks[key]
    compared = 0
    for key, shown in rules(other).items():
        wanted = rules(saved).get(key, [])
        end = _end(chains(saved)[key], tool)
        assert len(shown) == len(wanted) + len(end)
        for theirs, ours in zip(shown, (*wanted, *end), strict=True):
            if not any(map(open_, (*theirs, *ours))):
                assert _meant(theirs) == _meant(ours)
                compared += 1
    assert compared


def _end(chain: FilterChain, tool: str) -> list[tuple[Step, ...]]:
    """ebtables-nft keeps the policy of a chain of the user's as its last rule."""
    hidden = tool == "ebtables-nft" and chain.hook is None and chain.policy != "return"
    return [(Verdict(chain.policy),)] if hidden else []


def _meant(steps: tuple[Step, ...]) -> tuple[set[str], list[Step]]:
    """Matches in any order, without those that nft takes for granted; and what the rule does."""
    found = [step for step in steps if isinstance(step, Match)]
    asked = {step.fields[0].key.partition(" ")[0] for step in found}
    implied = {
        "meta l4proto": asked & {"tcp", "udp", "sctp", "icmp", "icmpv6"},
        "ip protocol": asked & {"tcp", "udp", "icmp"},
        "ether type": asked & {"vlan"},
    }
    told = {repr(_canonical(step)) for step in found if not implied.get(step.fields[0].key)}
    rest: list[Step] = [s for s in steps if not isinstance(s, Match) and s != Verdict("continue")]
    return told, rest


def _canonical(step: Match) -> Match:
    return replace(step, values=tuple(sorted(step.values, key=repr)))

"""Recorded listings, damaged at random: nothing is raised, and every line number is inside."""

import random
from pathlib import Path
from types import ModuleType

from hypothesis import given, settings
from hypothesis import strategies as st

from hopback.sources.parse import (
    brctl_show,
    brctl_showmacs,
    brctl_showstp,
    bridge_fdb,
    bridge_link,
    bridge_mdb,
    bridge_monitor,
    bridge_vlan,
    ifconfig,
    ip_addr,
    ip_link,
    ip_neigh,
    ip_route,
    ip_rule,
)
from hopback.sources.parse.base import Text
from tests.sources.parse.given import FIXTURES

PARSERS: dict[str, ModuleType] = {
    "ip-*link*": ip_link,
    "busybox-ip-link*": ip_link,
    "ip-*addr*": ip_addr,
    "busybox-ip-addr*": ip_addr,
    "ip-*route*": ip_route,
    "ip-*rule*": ip_rule,
    "ip-*neigh*": ip_neigh,
    "*arp*": ip_neigh,
    "bridge-*link*": bridge_link,
    "bridge-*fdb*": bridge_fdb,
    "bridge-*vlan*": bridge_vlan,
    "bridge-*mdb*": bridge_mdb,
    "bridge-*monitor*": bridge_monitor,
    "brctl-show.txt": brctl_show,
    "brctl-showmacs*": brctl_showmacs,
    "brctl-showstp*": brctl_showstp,
    "*ifconfig*": ifconfig,
}
CASES = [
    (path, module)
    for pattern, module in PARSERS.items()
    for host in ("libvirt", "vm61-bond", "vm61-iproute", "tunnels")
    for path in sorted((FIXTURES / host).glob(pattern))
]
# What an editor, a pager, a censor or a bad disk leaves in the middle of a line.
DIRT = (
    "",
    "\0",
    "[...]",
    "…",
    "xx:xx",
    "##",
    "\\",
    "\t",
    "٣",
    "-1",
    "9" * 40,
    "{",
    "]",
    '"',
    "\ud800",
)


def damaged(content: str, chance: random.Random) -> str:
    """Up to six cuts, doublings, deletions and insertions."""
    for _ in range(chance.randint(1, 6)):
        start = chance.randint(0, len(content))
        end = min(len(content), start + chance.choice((0, 1, 3, 20, 400)))
        lines = content.splitlines(keepends=True)
        match chance.randint(0, 4):
            case 0:
                content = content[:start] + chance.choice(DIRT) + content[end:]
            case 1:
                content = content[:end]
            case 2 if lines:
                del lines[chance.randrange(len(lines))]
                content = "".join(lines)
            case 3 if lines:
                at = chance.randrange(len(lines))
                content = "".join([*lines[: at + 1], *lines[at:]])
            case _:
                content = content[:start] + content[end:]
    return content


@given(st.sampled_from(CASES), st.integers(0, 2**32), st.booleans())
@settings(max_examples=200)
def test_damage(case: tuple[Path, ModuleType], seed: int, strict: bool) -> None:
    path, module = case
    lines = damaged(path.read_text(), random.Random(seed)).split("\n")
    text = Text(0, "given", lines, first=5, command=(), strict=strict)
    parsed = module.parse(text)
    inside = range(5, 5 + len(lines))
    assert all(problem.line in inside for problem in parsed.problems)
    assert all(row.cite.line in inside and row.cite.source == 0 for row in parsed.rows)


def test_every_case_is_recorded() -> None:
    assert {module.__name__ for _, module in CASES} == {m.__name__ for m in PARSERS.values()}

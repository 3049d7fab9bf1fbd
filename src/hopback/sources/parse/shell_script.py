"""Scripts that set a host up, and firewalld's direct rules: commands that somebody shows, not runs.

``cat lvs.sh`` tells what is set where the script was run, as long as it goes straight on: of one
that branches (``case "$1" in start)``) nobody knows which way it went, and nothing is read.
"""

import re
from collections.abc import Iterator, Mapping

from hopback.snapshot.rows import FilterChain, FilterRule, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse import xtables
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.commands import Command, parse_commands
from hopback.sources.parse.typed import typed_rows

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("cat|less|more|head|tail", "*.sh|/etc/rc.local|/etc/rc.d/rc.local"),
    ("firewall-cmd",),
)
SHAPE: re.Pattern[str] | None = None
FILLS: tuple[type[Row], ...] = ()

_BRANCHES = re.compile(
    r"\s*(?:if|case|for|while|until|select|function)\b|[^#]*(?:&&|\|\||\(\)\s*(?:\{|\Z))"
)
_COMMENT = re.compile(r"(?:\A|\s)#.*")
_ASSIGNED = re.compile(
    r"\s*(?:export\s+|readonly\s+)?([A-Za-z_]\w{0,63})=(\"[^\"$`]*\"|'[^']*'|[^\s\"'$`();]*)\s*\Z"
)
_VARIABLE = re.compile(r"\$(?:\{(\w{1,64})\}|(\w{1,64}))")
_LONGEST = 4096
_FILTERS = re.compile(r"(?:ip6?|eb|arp)tables(?:-legacy|-nft)?")
_DIRECT = re.compile(
    r"\s*(?P<family>ipv4|ipv6|eb) (?P<table>\w+) (?P<chain>\S+) -?\d+ (?P<rest>-.*)"
)
_TOOLS = {"ipv4": "iptables", "ipv6": "ip6tables", "eb": "ebtables"}

_Table = tuple[str, str]  # program and table


def parse(text: Text) -> Parsed:
    """What the commands set. A script shows its own rules alone: no chain of a filter is whole."""
    if any(map(_BRANCHES.match, text.lines)):
        return Parsed(())
    rows: list[Row] = []
    rules: dict[_Table, dict[int, str]] = {}
    for index, line in _lines(text):
        if match := _DIRECT.match(line):
            table = (_TOOLS[match["family"]], match["table"])
            rules.setdefault(table, {})[index] = f"-A {match['chain']} {match['rest']}"
            continue
        for command in parse_commands(line):
            rows += typed_rows(
                command._replace(netns=command.netns or text.netns), text.cite(index)
            )
            if found := _rule(command):
                rules.setdefault(found[0], {})[index] = found[1]
    filters, problems = _filters(text, rules)
    return Parsed([*rows, *filters], problems)


def _lines(text: Text) -> Iterator[tuple[int, str]]:
    """Each line without its comment, with the values of variables that the script sets."""
    values: dict[str, str] = {}
    for index, line in text.numbered():
        line = _COMMENT.sub("", line[:_LONGEST])
        if "$" in line:
            line = _replaced(line, values)
        if match := _ASSIGNED.match(line):
            values[match[1]] = match[2].strip("\"'")
        else:
            yield index, line


def _replaced(line: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda m: values.get(m[1] or m[2], m[0]), line)[:_LONGEST]


def _rule(command: Command) -> tuple[_Table, str] | None:
    """A command that adds a rule, as ``iptables -S`` would list it in its table."""
    program, *words = command.words
    if not _FILTERS.fullmatch(program):
        return None
    table = "filter"
    while "-t" in words[:-1]:
        at = words.index("-t")
        table, words = words[at + 1], words[:at] + words[at + 2 :]
    words = [word for word in words if word not in ("-w", "--wait")]
    if words[:1] not in (["-A"], ["-I"], ["--append"], ["--insert"]):
        return None
    verb = "-A" if words[0] in ("-A", "--append") else "-I"
    return (program, table), " ".join([verb, *map(_quoted, words[1:])])


def _quoted(word: str) -> str:
    """As iptables-save does it."""
    escaped = re.sub(r'(["\\])', r"\\\1", word)
    return f'"{escaped}"' if " " in word or escaped != word else word


def _filters(
    text: Text, rules: Mapping[_Table, Mapping[int, str]]
) -> tuple[list[Row], list[Problem]]:
    rows: list[Row] = []
    problems: list[Problem] = []
    for (program, table), by_line in rules.items():
        lines = [by_line.get(index, "") for index in range(len(text.lines))]
        command = (program, "-t", table)
        found = xtables.parse(text._replace(lines=lines, command=command, filtered=True))
        rows += [row for row in found.rows if isinstance(row, FilterChain | FilterRule)]
        problems += found.problems
    return rows, problems

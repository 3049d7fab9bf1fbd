"""Rules of packet filters, as the programs list them that made them."""

from collections.abc import Iterable, Sequence

from hopback.snapshot.rows import FilterRule, Opaque, Row
from hopback.sources.live import programs
from hopback.sources.live.programs import Failed
from hopback.sources.live.reading import Reading
from hopback.sources.parse import registry
from hopback.sources.parse.base import Text

_SAVES = {
    "ip": "iptables-nft-save",
    "ip6": "ip6tables-nft-save",
    "bridge": "ebtables-nft-save",
    "arp": "arptables-nft-save",
}


def read_nft(reading: Reading) -> None:
    """Add the rules of nf_tables, of which there have to be some; raises Failed.

    It is the text that is read: JSON lacks the devices of ingress chains and what nft translates of
    iptables' rules, and a line can be quoted. Where something of iptables-nft or ebtables-nft was
    not translated, their own programs tell it. The rules use the modules that those would load.
    """
    rows = _listed(reading, "nft", ("nft", "list", "ruleset"))
    for family in sorted(_half_shown(rows)):
        program = _SAVES[family]
        try:
            _listed(reading, "xtables", (program,))
        except Failed as error:
            message = f"of some rules only a part is known: {error}"
            reading.problem("nft list ruleset", message)


def read_legacy(reading: Reading, tool: str, table: str) -> bool:
    """Add the rules of a table of x_tables that exists; False if nothing can list it."""
    whole = tool == "arptables"  # it has one table, and no option to choose it
    for program in (f"{tool}-legacy-save", f"{tool}-save"):
        path = programs.find(program)
        if path is None or (program != f"{tool}-legacy-save" and programs.is_for_nft(path)):
            continue
        words = (program,) if whole else (program, "-t", table)
        try:
            _listed(reading, "xtables", words, (f"{tool}-legacy-save", *words[1:]))
        except Failed as error:
            reading.problem(" ".join(words), str(error))
            return False
        return True
    return False


def _half_shown(rows: Iterable[Row]) -> set[str]:
    """The families in which an extension of x_tables was printed by its name only."""
    return {
        row.family
        for row in rows
        if isinstance(row, FilterRule) and row.family in _SAVES
        for step in row.steps
        if isinstance(step, Opaque) and step.text.startswith(("xt ", "#"))
    }


def _listed(
    reading: Reading, parser: str, words: Sequence[str], command: Sequence[str] = ()
) -> Sequence[Row]:
    """Run a program and add its rows; ``command`` is what the parser takes it for."""
    path = programs.find(words[0])
    if path is None:
        raise Failed(f"{words[0]} is not installed")
    text = programs.output(path, *words[1:])
    name = " ".join(words)
    origin = reading.open(name, text)
    found = registry.parser(parser).parse(
        Text(
            origin.source,
            name,
            text.split("\n"),
            command=tuple(command or words),
            netns=reading.netns,
        )
    )
    reading.builder.add(found.rows, found.problems)
    return found.rows

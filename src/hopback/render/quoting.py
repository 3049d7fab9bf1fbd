"""How evidence is set out: the rows of one listing together, each with its line number."""

from collections.abc import Iterable

from hopback.findings import Evidence
from hopback.render.page import Page

_SHOWN = 8
"""So many rows of a finding are shown; all of them are in the JSON."""


def quote_evidence(
    page: Page, evidence: Iterable[Evidence], indent: int, several_hosts: bool = False
) -> None:
    """Each source once, its rows below it; ``>`` marks those that feed the first row's rule."""
    every = list(dict.fromkeys(evidence))
    deciding = every[0].rule if every else ""
    listings: dict[tuple[str, str], dict[tuple[int, str], bool]] = {}
    for row in every[:_SHOWN]:
        rows = listings.setdefault((row.host, row.source), {})
        rows[row.line, row.text] = row.rule == deciding or rows.get((row.line, row.text), False)
    for (host, source), rows in listings.items():
        page.quote(f"{host}: {source}" if several_hosts and host else source, indent)
        for (line, text), decides in sorted(rows.items()):
            lead = f"{'>' if decides else ' '}{line:>4}  "
            page.quote(text, indent + 1, lead, "" if decides else "muted")
    if len(every) > _SHOWN:
        page.say(f"and {len(every) - _SHOWN} more rows (--json has them all)", indent, "muted")

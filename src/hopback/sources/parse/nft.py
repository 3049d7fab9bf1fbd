"""``nft list ruleset`` and its parts, as text and as JSON (nft(8), libnftables-json(5))."""

import re

from hopback.snapshot.rows import FilterChain, FilterRule, FilterSet, PacketFilter, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.listing import REFUSAL, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (("nft", "list"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*(?:table (?:ip|ip6|inet|arp|bridge|netdev) [^\s{]+ \{|chain [^\s{]+ \{)"
    r"|\{\"nftables\": ?\["
)
FILLS: tuple[type[Row], ...] = (FilterChain, FilterRule, FilterSet, PacketFilter)


def parse(text: Text) -> Parsed:
    """Chains, sets and rules.

    A rule of which something is not understood has that as an opaque step. An error message
    instead of a listing is a problem: it does not say that there is no filter.
    """
    # Most texts show no filter.
    from hopback.sources.parse.nftables.blocks import read_text
    from hopback.sources.parse.nftables.objects import read_json
    from hopback.sources.parse.nftables.ruleset import Ruleset

    ruleset = Ruleset(text)
    problems: list[Problem] = []
    first = next((line for _, line in text.numbered() if not line.lstrip().startswith("#")), "")
    if first.lstrip().startswith(("{", "[")):
        problems += read_json(text, ruleset)
    else:
        for index, line in text.numbered():
            if line[:1].strip() and "{" not in line and REFUSAL.match(line):
                problems.append(unreadable(text, index, "the filter was not shown"))
        problems += read_text(text, ruleset)
    return Parsed(ruleset.rows(), [*problems, *ruleset.problems])

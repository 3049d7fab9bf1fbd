"""``nft list ruleset``, as text and JSON.

Its rules are not evaluated, only noticed: a row tells where a filter is hooked in and which
devices' frames it may touch.
"""

import re

from hopback.snapshot.rows import PacketFilter, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.filter_chains import Chains
from hopback.sources.parse.listing import unreadable
from hopback.sources.parse.nft_json import read_json
from hopback.sources.parse.nft_text import NFT_LINE, read_nft

COMMANDS: tuple[tuple[str, ...], ...] = (("nft", "list"),)
SHAPE: re.Pattern[str] | None = re.compile(rf"{NFT_LINE}|\{{\"nftables\": ?\[")
FILLS: tuple[type[Row], ...] = (PacketFilter,)

_COMPLAINT = re.compile(
    r".*(?:command not found|[Pp]ermission denied|Operation not permitted|No such file"
    r"|must be root|[Ii]nvalid argument|[Nn]ot supported|can't initialize|nable to initialize)"
)


def parse(text: Text) -> Parsed:
    """One row for each base chain that has rules or does not accept by policy.

    An error message instead of a listing is a problem: it does not say that there is no filter.
    """
    problems: list[Problem] = []
    for index, line in text.numbered():
        if _COMPLAINT.match(line) and "{" not in line and not line.startswith("-"):
            problems.append(unreadable(text, index, "the filter was not shown"))
    first = next((line for _, line in text.numbered() if not line.lstrip().startswith("#")), "")
    chains = Chains()
    if first.lstrip().startswith(("{", "[")):
        problems += read_json(text, chains)
    else:
        problems += read_nft(text, chains)
    return Parsed(chains.rows(text), problems)

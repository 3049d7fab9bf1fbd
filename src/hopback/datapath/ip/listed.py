"""Which routing tables and rules the listings show whole: their commands tell it.

``ip route`` is the table main of IPv4, ``ip -6 rule`` the rules of IPv6 (iproute2 ``ip/iproute.c``,
``iprule.c``).
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from hopback.datapath.ip.fib import Family
from hopback.snapshot.model import Snapshot
from hopback.snapshot.table import Extent

_COMMAND = re.compile(
    r"(?:sudo )?(?:ip netns exec \S+ )?ip(?P<options>(?: -\S+)*) (?P<what>r(?:o\w*|u\w*)?)"
    r"(?: (?:show|list|ls|lst))?(?: table (?P<table>\S+))?"
)
_NUMBERS = {"253": "default", "254": "main", "255": "local"}
_BOTH: frozenset[Family] = frozenset((4, 6))


class Shown(Struct, frozen=True):
    """The tables that were listed whole, and the families of which all were."""

    tables: frozenset[tuple[Family, str]] = frozenset()
    whole: frozenset[Family] = frozenset()

    def has(self, family: Family, table: str) -> bool:
        """Whether a table was listed whole."""
        return family in self.whole or (family, table) in self.tables

    def families(self, table: str) -> frozenset[Family]:
        """Those whose table of this name was listed whole."""
        return frozenset(family for family in _BOTH if self.has(family, table))


def routes_shown(snapshot: Snapshot, netns: str) -> Shown:
    """What is known of the routing tables of a namespace."""
    if snapshot.routes.complete(netns):
        return Shown(whole=_BOTH)
    tables: set[tuple[Family, str]] = set()
    whole: set[Family] = set()
    for found in _commands(snapshot, snapshot.routes.extents, netns):
        if not "route".startswith(found["what"]):
            continue
        table = found["table"] or "main"
        families = _families(found["options"])
        if table == "all":
            whole |= families or _BOTH
        else:
            name = _NUMBERS.get(table, table)
            tables |= {(family, name) for family in families or {4}}
    return Shown(frozenset(tables), frozenset(whole))


def rules_shown(snapshot: Snapshot, netns: str) -> frozenset[Family]:
    """The families whose policy rules were listed whole."""
    if snapshot.rules.complete(netns):
        return _BOTH
    shown: set[Family] = set()
    for found in _commands(snapshot, snapshot.rules.extents, netns):
        if "rule".startswith(found["what"]) and found["what"] != "r" and not found["table"]:
            shown |= _families(found["options"]) or {4}
    return frozenset(shown)


def _commands(
    snapshot: Snapshot, extents: tuple[Extent, ...], netns: str
) -> Iterator[re.Match[str]]:
    for extent in extents:
        found = _COMMAND.fullmatch(snapshot.sources[extent.source].name.strip())
        if extent.netns == netns and found is not None:
            yield found


def _families(options: str) -> set[Family]:
    """Those that an option names; none if none does."""
    return {family for family in _BOTH if re.search(rf" -{family}(?= |$)", options)}

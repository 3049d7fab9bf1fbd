"""``nft list ruleset`` as text."""

import re

from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Text
from hopback.sources.parse.filter_chains import Chain, Chains
from hopback.sources.parse.listing import stray

NFT_LINE = r"\s*(?:table (?:ip|ip6|inet|arp|bridge|netdev) [^\s{]+ \{|chain [^\s{]+ \{)"

_TABLE = re.compile(r"table (?P<family>ip|ip6|inet|arp|bridge|netdev) (?P<name>[^\s{]+) \{")
_CHAIN = re.compile(r"chain (?P<name>[^\s{]+) \{")
_HOOK = re.compile(
    r"type \w+ hook \w+ (?:devices? (?:= )?(?P<devices>\{[^}]*\}|\S+) )?priority "
    r"[^;]*;?(?:\s*policy (?P<policy>\w+))?"
)
_DEVICE = re.compile(
    r"\b(?:meta )?[io]if(?:name)? (?P<not>!= )?(?:vmap )?"
    r"(?P<names>\{[^}]*\}|\"[^\"]*\"|[^\s{]\S*)"
)
_WORD = re.compile(r"\"([^\"]*)\"|([^\s{},\":]+)")
_BRIDGED = re.compile(r"\b(?:ether|arp|ibrname|obrname|vlan)\b")
_RULE_LINES_MAX = 4096  # a set may be printed over many lines, but not over all that follow

_GUESS_LINES_MAX = 100


def read_nft(text: Text, chains: Chains) -> list[Problem]:
    """Enter the base chains; gives the problems.

    A chain without its table (a paste) counts as the bridge family's if its rules look at
    Ethernet, otherwise as inet's.
    """
    reader = _Reader(text, chains)
    problems: list[Problem] = []
    for index, line in text.numbered():
        if not reader.line(index, line.strip()):
            problems += stray(text, index, "nft list ruleset")
    return problems


class _Reader:
    """Follows the braces. A rule whose set goes over several lines is put together first."""

    def __init__(self, text: Text, chains: Chains) -> None:
        self._text = text
        self._chains = chains
        self._blocks: list[str] = []
        self._family: str | None = None
        self._table = ""
        self._chain_name = ""
        self._chain: Chain | None = None
        self._rule: list[str] = []
        self._open = 0

    def line(self, index: int, line: str) -> bool:
        """Take a line; False if it is none of a ruleset."""
        if line.startswith("#"):
            return True
        if table := _TABLE.match(line):
            self._blocks, self._rule, self._open = ["table"], [], 0
            self._family, self._table = table["family"], table["name"]
        elif chain := _CHAIN.match(line):
            self._blocks, self._rule, self._open = [*self._blocks[:1], "chain"], [], 0
            self._chain_name, self._chain = chain["name"], None
        elif self._rule or self._blocks[-1:] == ["chain"]:
            self._in_chain(index, line)
        elif line == "}":
            del self._blocks[-1:]
        elif not self._blocks:
            return False
        elif line.endswith("{"):  # a set, a map, a flowtable …
            self._blocks.append("other")
        return True

    def _in_chain(self, index: int, line: str) -> None:
        if not self._rule and line == "}":
            self._blocks.pop()
            return
        self._rule.append(line)
        self._open += line.count("{") - line.count("}")
        if self._open > 0 and len(self._rule) < _RULE_LINES_MAX:
            return
        rule = " ".join(self._rule)
        self._rule, self._open = [], 0
        if hook := _HOOK.match(rule):
            self._hook(index, hook)
        elif self._chain is not None:
            self._chain.rule(_devices(rule))

    def _hook(self, index: int, hook: re.Match[str]) -> None:
        attached = _words(hook["devices"]) if hook["devices"] else None
        family = self._family or self._guess(index)
        name = " ".join(filter(None, ("nft", family, self._table, self._chain_name)))
        accepts = (hook["policy"] or "accept") == "accept"
        self._chain = self._chains.base(family, name, Chain(index, accepts, attached))

    def _guess(self, index: int) -> str:
        for line in self._text.lines[index + 1 : index + _GUESS_LINES_MAX]:
            if line.strip() == "}":
                break
            if _BRIDGED.search(line):
                return "bridge"
        return "inet"


def _devices(rule: str) -> list[str] | None:
    """The devices a rule names; None if it names none, all but some, or those of a named set."""
    found = list(_DEVICE.finditer(rule))
    if not found or any(match["not"] or match["names"].startswith("@") for match in found):
        return None
    return [name for match in found for name in _words(match["names"])]


def _words(names: str) -> list[str]:
    """The names of ``"a"``, ``{ "a", "b" }`` or the keys of ``{ "a" : drop, "b" : jump c }``."""
    keys = [item.split(" : ")[0] for item in names.strip("{} ").split(",")]
    return [match[1] or match[2] for key in keys if (match := _WORD.search(key))]

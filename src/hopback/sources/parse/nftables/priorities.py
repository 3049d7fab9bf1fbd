"""Priorities of base chains, which nft prints by name since 0.9.1 (src/rule.c std_prios)."""

import re

from hopback.sources.parse.nftables.symbols import BRIDGE_PRIORITIES, HOOK_PRIORITIES

_PRIORITY = re.compile(r"(?P<name>[a-z]+)?\s*(?P<number>[+-]?\s*\d{1,10})?")


def priority(family: str, text: str) -> int | None:
    """The number of ``filter - 10``; None if it is none. Names differ for the bridge."""
    match = _PRIORITY.fullmatch(text.strip())
    if match is None or not (match["name"] or match["number"]):
        return None
    names = BRIDGE_PRIORITIES if family == "bridge" else HOOK_PRIORITIES
    base = names.get(match["name"]) if match["name"] else 0
    if base is None:
        return None
    return base + int("".join((match["number"] or "0").split()))

"""``nft -j list ruleset`` (libnftables-json(5))."""

import json
from typing import Any

from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Text
from hopback.sources.parse.filter_chains import Chain, Chains

_DEVICE_KEYS = ("iif", "oif", "iifname", "oifname")


def read_json(text: Text, chains: Chains) -> list[Problem]:
    """Enter the base chains; JSON that is cut or something else makes one problem."""
    index = next((index for index, _ in text.numbered()), 0)
    try:
        ruleset = json.loads("\n".join(text.lines))["nftables"]
        objects = [item for item in ruleset if isinstance(item, dict)]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return [text.problem(index, f"not the JSON of nft ({error or type(error).__name__})")]
    for item in objects:
        if isinstance(chain := item.get("chain"), dict) and "hook" in chain:
            _enter(index, chain, chains)
    for item in objects:
        if isinstance(rule := item.get("rule"), dict):
            found = chains.get(str(rule.get("family")), _name(rule, rule.get("chain")))
            if found is not None:
                found.rule(_devices(rule.get("expr")))
    return []


def _name(item: dict[str, Any], chain: object) -> str:
    return f"nft {item.get('family')} {item.get('table')} {chain}"


def _enter(index: int, chain: dict[str, Any], chains: Chains) -> None:
    dev = chain.get("dev")
    attached = None if dev is None else _names(dev)
    accepts = chain.get("policy", "accept") == "accept"
    family, name = str(chain.get("family")), _name(chain, chain.get("name"))
    chains.base(family, name, Chain(index, accepts, attached))


def _devices(expressions: object) -> list[str] | None:
    """The devices that a rule's matches and verdict maps name; None if it may hit any."""
    found: list[str] = []
    for expression in expressions if isinstance(expressions, list) else []:
        if not isinstance(expression, dict):
            continue
        if isinstance(match := expression.get("match"), dict) and _on_device(match.get("left")):
            names = _names(match.get("right"))
            if match.get("op") not in ("==", "in") or not names:
                return None
            found += names
        elif isinstance(vmap := expression.get("vmap"), dict) and _on_device(vmap.get("key")):
            found += _names(vmap.get("data"))
    return found or None


def _on_device(left: object) -> bool:
    meta = left.get("meta") if isinstance(left, dict) else None
    return isinstance(meta, dict) and meta.get("key") in _DEVICE_KEYS


def _names(right: object) -> list[str]:
    """Device names of a string, a list, or a set (of names, or of pairs of a verdict map)."""
    if isinstance(right, str):
        return [] if right.startswith("@") else [right]
    if isinstance(right, dict):
        return _names(right.get("set"))
    if not isinstance(right, list):
        return []
    firsts = [item[0] if isinstance(item, list) and item else item for item in right]
    return [item for item in firsts if isinstance(item, str)]

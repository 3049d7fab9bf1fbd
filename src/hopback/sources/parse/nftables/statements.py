"""The statements of a rule's text, each as the object that ``nft -j`` would print."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from hopback.sources.parse.nftables.expressions import (
    data,
    expression,
    is_field,
    value,
    verdict,
)
from hopback.sources.parse.nftables.steps import Statement
from hopback.sources.parse.nftables.tokens import END, Misread, Tokens, tokens, unquoted

INNER = re.compile(r"(?:^|\s)(jump|goto) \{$")
"""The end of a line after which the rules of a chain without a name stand."""

_OPERATORS = frozenset({"==", "!=", "<", "<=", ">", ">=", "!"})
_OLD_OPERATORS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def statements(text: str) -> Iterator[Statement]:
    """The statements of one rule; from the first that is not understood on, all is one."""
    t = Tokens(tokens(text))
    while t.peek() is not END:
        place = t.place
        if t.take(";"):
            continue
        try:
            tree = _statement(t)
        except (Misread, ValueError, RecursionError):
            t.place = place
            yield Statement(None, t.rest())
            return
        if tree is not None:
            yield Statement(tree, t.since(place))


def _statement(t: Tokens) -> Any:
    """The next statement; None for one that says nothing."""
    if found := verdict(t):
        if "queue" in found:
            _queue(t)
        return found
    word = t.peek()
    if word == "ct" and (found := _connection(t)):
        return found
    if known := _STATEMENTS.get(word):
        t.next()
        return known(t, word)
    return _relation(t)


def _relation(t: Tokens) -> Any:
    """``FIELD VALUE``, ``FIELD vmap { … }``, ``FIELD set VALUE``."""
    if not (is_field(t) or t.peek() == "("):
        raise Misread(t.peek())
    left = expression(t)
    if t.take("vmap"):
        return {"vmap": {"key": left, "data": data(t)}}
    if t.take("set"):
        return {"mangle": {"key": left, "value": _assigned(t, left)}}
    operator = _OLD_OPERATORS.get(t.peek(), t.peek())
    if operator in _OPERATORS:
        t.next()
    else:
        operator = ""
    right = value(t, listed=True)
    if t.take("/"):
        left = {"&": [left, value(t, listed=True)]}
        operator = operator or "=="
    return {"match": {"op": operator, "left": left, "right": right}}


def _assigned(t: Tokens, target: Any) -> Any:
    """An expression, or a value: ``ether type set ip`` has a value that looks like a field."""
    is_type = isinstance(target, dict) and "type" in str(target.get("payload"))
    if is_type or not (is_field(t) or t.peek() == "("):
        return value(t, listed=True)
    return expression(t)


def _connection(t: Tokens) -> Any:
    """``ct helper set "ftp"``, ``ct count over 20``; None for a match."""
    if t.peek(1) in ("helper", "timeout", "expectation") and t.peek(2) == "set":
        t.next()
        name = t.next()
        t.next()
        return {f"ct {name}": _name_or_map(t)}
    if t.take_both("ct", "count"):
        over = t.take("over")
        return {"ct count": {"val": t.one(), "inv": over}}
    return None


def _name_or_map(t: Tokens) -> Any:
    return expression(t) if is_field(t) else t.one()


def _counter(t: Tokens, word: str) -> Any:
    if t.take("name"):
        return {word: _name_or_map(t)}
    packets = t.one() if t.take("packets") else None
    if t.take("bytes"):
        t.one()
    return {word: {"packets": int(packets)} if packets and packets.isdecimal() else None}


def _limit(t: Tokens, word: str) -> Any:
    if t.take("name"):
        return {word: _name_or_map(t)}
    t.expect("rate")
    t.take("over")
    t.one()
    if "/" in t.peek():  # 10 mbytes/second
        t.next()
    if t.take("burst"):
        t.one()
        _unit(t)
    return {word: {}}


def _quota(t: Tokens, word: str) -> Any:
    if t.take("name"):
        return {word: _name_or_map(t)}
    if t.peek() in ("over", "until"):
        t.next()
    t.one()
    _unit(t)
    if t.take("used"):
        t.one()
        _unit(t)
    return {word: {}}


def _unit(t: Tokens) -> None:
    if t.peek() == "packets" or t.peek().endswith("bytes"):
        t.next()


def _log(t: Tokens, word: str) -> Any:
    while t.peek() in ("prefix", "group", "snaplen", "queue-threshold", "level", "flags"):
        if t.next() == "flags":
            t.take("tcp")
            t.take("ip")
            _words(t)
        else:
            t.one()
    return {word: None}


def _words(t: Tokens) -> list[str]:
    """Words joined by commas."""
    found = [t.one()]
    while t.take(","):
        found.append(t.one())
    return found


def _reject(t: Tokens, word: str) -> Any:
    if not t.take("with"):
        return {word: None}
    kind = t.one()
    t.take("type")
    reason = t.one()
    return {word: {"type": f"{kind} {reason}" if kind == "tcp" else kind}}


_QUEUE_FLAGS = frozenset({"bypass", "fanout"})


def _queue(t: Tokens) -> None:
    while t.peek() in ("num", "to", "flags", *_QUEUE_FLAGS):
        word = t.peek()
        if word not in _QUEUE_FLAGS:
            t.next()
        if word in ("num", "to"):
            _name_or_map(t)
        else:
            _words(t)


_NAT_FLAGS = frozenset({"random", "fully-random", "persistent"})
_ADDRESS = re.compile(r"(?P<addr>[^\[\]:]*|\[[^\]]*\](?:-\[[^\]]*\])?)(?::(?P<port>[^:]*))?")
_BRACKETS = str.maketrans("", "", "[]")


def _nat(t: Tokens, word: str) -> Any:
    found: dict[str, Any] = {}
    if t.peek() in ("ip", "ip6"):
        found["family"] = t.next()
    types: list[str] = []
    while t.peek() in ("addr", ".", "port", "prefix", "interval"):
        types.append(t.next())
    if "prefix" in types:
        found["type_flags"] = "prefix"
    if t.take("to"):
        found |= _target(t)
    if t.peek() in _NAT_FLAGS:
        found["flags"] = _words(t)
    return {word: found}


def _target(t: Tokens) -> dict[str, Any]:
    """Address and port, each a value or an expression, joined by a colon."""
    if is_field(t):
        found = {"addr": expression(t)}
        return found | ({"port": _port(t)} if t.take(":") else {})
    word = t.next()
    match = _ADDRESS.fullmatch(word)
    if match is None:  # an IPv6 address without brackets
        return {"addr": unquoted(word)}
    found = {"addr": match["addr"].translate(_BRACKETS)} if match["addr"] else {}
    if match["port"] is None:
        return found
    t.put_back(match["port"])
    return found | {"port": _port(t)}


def _port(t: Tokens) -> Any:
    return expression(t) if is_field(t) else t.one()


def _elsewhere(t: Tokens, word: str) -> Any:
    """``dup``, ``fwd``, ``tproxy``: somewhere else than the packet would go."""
    if t.peek() in ("ip", "ip6"):
        t.next()
    t.expect("to")
    _name_or_map(t)
    if t.take("device"):
        _name_or_map(t)
    return {word: {}}


def _synproxy(t: Tokens, word: str) -> Any:
    while t.peek() in ("name", "mss", "wscale", "timestamp", "sack-perm"):
        option = t.next()
        if option == "name":
            _name_or_map(t)
        elif option in ("mss", "wscale"):
            t.one()
    return {word: {}}


def _update(t: Tokens, word: str) -> Any:
    """``add @seen { ip saddr timeout 10s limit rate 1/second : 5 }``."""
    name = t.one()
    if not name.startswith("@"):
        raise Misread(name)
    t.expect("{")
    stmt = _within(t)
    return {"set": {"op": word, "set": name, "stmt": stmt}}


def _within(t: Tokens) -> list[Any]:
    """The statements of an element between its key and the closing brace."""
    expression(t)
    found: list[Any] = []
    while not t.take("}"):
        if t.take(":"):
            expression(t)
        elif t.peek() in ("timeout", "expires", "comment"):
            t.next()
            t.one()
        elif (statement := _statement(t)) is not None:
            found.append(statement)
    return found


def _old_update(t: Tokens, _word: str) -> Any:
    """``set add ip saddr timeout 10s @seen``, as versions before 0.9.1 print it."""
    operation = t.one()
    expression(t)
    if t.take("timeout"):
        t.one()
    return {"set": {"op": operation, "set": t.one(), "stmt": []}}


def _meter(t: Tokens, word: str) -> Any:
    while t.peek() not in ("{", END):
        t.next()
    t.expect("{")
    return {word: {"stmt": _within(t)}}


def _two(t: Tokens, word: str) -> Any:
    """``xt match "arp"``, ``flow add @ft``."""
    t.one()
    t.one()
    return {word: {}}


def _unnamed(t: Tokens, _word: str) -> Any:
    """``# xt_tcp``, as nft prints an extension that it was built without."""
    name = t.one()
    if not name.startswith("xt_"):
        raise Misread(name)
    return {"xt": {"name": name}}


def _comment(t: Tokens, _word: str) -> None:
    t.one()


def _last(t: Tokens, word: str) -> Any:
    if t.take("used"):
        t.one()
    return {word: None}


def _reset(t: Tokens, word: str) -> Any:
    expression(t)
    return {word: {}}


_STATEMENTS: dict[str, Callable[[Tokens, str], Any]] = {
    "counter": _counter,
    "limit": _limit,
    "quota": _quota,
    "log": _log,
    "reject": _reject,
    **dict.fromkeys(("snat", "dnat", "masquerade", "redirect"), _nat),
    **dict.fromkeys(("dup", "fwd", "tproxy"), _elsewhere),
    "notrack": lambda _t, word: {word: None},
    "synproxy": _synproxy,
    **dict.fromkeys(("add", "update", "delete"), _update),
    "set": _old_update,
    "meter": _meter,
    **dict.fromkeys(("xt", "flow"), _two),
    "#": _unnamed,
    "comment": _comment,
    "last": _last,
    "reset": _reset,
}

"""The steps of a rule as statements of nft(8)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from hopback.frames.ethernet import ARP
from hopback.lab.nft.words import Unsayable, address, element, field, masked, raw, value
from hopback.snapshot.rows import (
    Choice,
    Element,
    Field,
    FilterFamily,
    FilterSet,
    Mangle,
    Mapped,
    Match,
    Nat,
    Notrack,
    Opaque,
    Step,
    Unsure,
    Value,
    Verdict,
)
from hopback.sources.parse.nftables.types import FLAGS, type_of

_FULL = (1 << 32) - 1
_STATES = ("ct_state", "ct_status")
_IPV4 = "0x0800"


class Never(Exception):
    """The rule can match nothing: it looks something up in an empty set."""


class Where(NamedTuple):
    """What the words of a rule depend on: ``chains`` has the names of chains to jump to."""

    family: FilterFamily
    sets: Mapping[str, FilterSet]
    chains: Mapping[str, str]


def statements(steps: tuple[Step, ...], where: Where) -> str:
    """The rule; raises Unsayable, and Never."""
    said: list[str] = []
    ethertype: int | None = None
    family = ""
    for step in steps:
        if isinstance(step, Match):
            ethertype = _told(step, "ether type") or ethertype
            family = _told(step, "meta nfproto") or ""
            step = step if ethertype in (None, ARP) else _without_arp(step)
        if isinstance(step, Nat):
            said = said[:-1] if family and _has_target(step) else said  # ``dnat ip`` asks for it
            said.append(_nat(step, where, family))
        else:
            said += _SAID[type(step)](step, where)
    return " ".join(said)


def _told(step: Match, key: str) -> Any:
    """The one value that the field ``key`` has to have, None if it is another match."""
    alone = step.op == "==" and not step.set and step.fields == (Field(key),)
    return step.values[0][0] if alone and len(step.values) == 1 else None


def _has_target(step: Nat) -> bool:
    return step.address is not None or step.both is not None


def _without_arp(step: Match) -> Match:
    """The fields of ARP in a packet of RARP, which ebtables has look the same."""
    if not any(one.key.startswith("arp ") for one in step.fields):
        return step
    fields = tuple(Field(raw(one.key), one.mask) for one in step.fields)
    return Match(fields, step.values, step.op, step.set)


def _match(step: Match, where: Where) -> Iterator[str]:
    values = _set(where, step.set).elements if step.set else step.values
    unequal = step.op in ("!=", "lacks")
    yield from _first_asked(step.fields, where)
    if step.op in ("has", "lacks") and values:
        yield _bits(step.fields, values, step.op == "has")
        return
    if step.op in ("==", "!="):
        values = tuple(one for one in values if _can_be(step.fields, one))
    if not values:
        if unequal:
            return
        raise Never
    left = " . ".join(masked(one) for one in step.fields)
    right = [element(step.fields, one) for one in values]
    several = len(right) > 1 or len(step.fields) > 1
    operator = "" if step.op == "==" and _is_plain(step.fields) else f"{step.op} "
    yield f"{left} {operator}{_braced(right) if several else right[0]}"


def _can_be(fields: tuple[Field, ...], values: Element) -> bool:
    """Whether masked fields can have these values; nft would mask the values, too."""
    pairs = zip(fields, values, strict=True)
    return not any(
        one.mask is not None and isinstance(number, int) and number & ~one.mask
        for one, number in pairs
    )


def _is_plain(fields: tuple[Field, ...]) -> bool:
    """Whether the same is asked without ``==``; with it nft takes the field for known after."""
    return all(one.mask is None and type_of(one.key) not in FLAGS for one in fields)


def _first_asked(fields: tuple[Field, ...], where: Where) -> Iterator[str]:
    """What nft does not ask by itself before it looks at bits that have no name."""
    if any(one.key == "ip tos" for one in fields) and where.family != "ip":
        yield f"meta protocol {_IPV4}"


def _bits(fields: tuple[Field, ...], values: tuple[Element, ...], any_set: bool) -> str:
    (one,) = fields
    if type_of(one.key) in _STATES:
        words = ",".join(value(one.key, word) for (word,) in values)
        return f"{one.key} {'' if any_set else '! '}{words}"
    bits = 0
    for (number,) in values:
        if not isinstance(number, int):
            raise Unsayable(f"bits of {one.key}")
        bits |= number
    return f"{field(one.key)} & {hex(bits)} {'!=' if any_set else '=='} 0"


def _choice(step: Choice, where: Where) -> Iterator[str]:
    entries = step.entries
    if step.map:
        found = _set(where, step.map)
        entries = tuple(zip(found.elements, found.verdicts, strict=True))
    if not entries:
        raise Never
    left = " . ".join(masked(one) for one in step.fields)
    pairs = [f"{element(step.fields, key)} : {_verdict(v, where)}" for key, v in entries]
    yield f"{left} vmap {_braced(pairs)}"


def _set(where: Where, name: str) -> FilterSet:
    found = where.sets.get(name)
    if found is None or not found.whole:
        raise Unsayable(f"the set {name}, which was not listed whole")
    return found


def _braced(items: list[str]) -> str:
    return f"{{ {', '.join(items)} }}"


def _verdict(step: Verdict, where: Where) -> str:
    if step.kind == "queue":
        raise Unsayable("a verdict that a program gives")
    if step.kind not in ("jump", "goto"):
        return step.kind
    if step.chain not in where.chains:
        raise Unsayable(f"the chain {step.chain}, which was not listed")
    return f"{step.kind} {where.chains[step.chain]}"


def _nat(step: Nat, where: Where, family: str) -> str:
    """``dnat ip to 10.0.0.1:80``; a table of inet has to be told the family."""
    words: list[str] = [step.kind]
    numbers = step.address
    six = where.family == "ip6" or family == "ipv6"
    if where.family == "inet" and _has_target(step):
        words.append("ip6" if six else "ip")
    target = ""
    if step.both is not None:
        target = _mapped(step.both, where, ("ip6 daddr" if six else "ip daddr", "th dport"))
    elif isinstance(numbers, Mapped):
        target = _mapped(numbers, where, ("ip6 daddr" if six else "ip daddr",))
    elif numbers is not None:
        target = _addresses(numbers, six, step.port is not None)
    if isinstance(step.port, Mapped):
        target += f":{_mapped(step.port, where, ('th dport',))}"
    elif step.port is not None:
        target += f":{value('th dport', step.port)}"
    return " ".join((*words, f"to {target}")) if target else step.kind


def _addresses(said: Value, six: bool, port: bool) -> str:
    if isinstance(said, str):
        raise Unsayable(f"the address {said}")
    ends = (said,) if isinstance(said, int) else (said.first, said.last)
    texts = [address(end, six) for end in ends]
    return "-".join(f"[{text}]" if six and port else text for text in texts)


def _mapped(step: Mapped, where: Where, keys: tuple[str, ...]) -> str:
    entries = step.entries
    if step.map:
        found = _set(where, step.map)
        entries = tuple(zip(found.elements, found.values, strict=True))
    if not entries:
        raise Never
    targets = tuple(Field(key) for key in keys)
    left = " . ".join(masked(one) for one in step.fields)
    pairs = [f"{element(step.fields, key)} : {element(targets, to)}" for key, to in entries]
    return f"{left} map {_braced(pairs)}"


def _mangle(step: Mangle, where: Where) -> Iterator[str]:
    if step.keep and step.source:
        raise Unsayable(f"{step.key} made of itself and {step.source}")
    source, mask = (step.source, step.mask) if step.source else (step.key, step.keep)
    if not mask:
        yield f"{field(step.key)} set {value(step.key, step.xor)}"
        return
    changed = field(source) + (f" & {hex(mask)}" if mask != _FULL else "")
    changed += f" ^ {hex(step.xor)}" if step.xor else ""
    yield f"{field(step.key)} set {changed}"


def _unsayable(step: Unsure | Opaque, where: Where) -> Iterator[str]:
    raise Unsayable(step.text)
    yield


_SAID: Mapping[type, Callable[..., Iterator[str]]] = {
    Match: _match,
    Choice: _choice,
    Verdict: lambda step, where: iter((_verdict(step, where),)),
    Mangle: _mangle,
    Notrack: lambda step, where: iter(("notrack",)),
    Unsure: _unsayable,
    Opaque: _unsayable,
}

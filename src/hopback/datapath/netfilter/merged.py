"""Matches that nft has taken together (nft's src/rule.c:stmt_reduce, payload_do_merge).

Of fields that lie side by side nft makes one comparison, wherever they stand in the rule. For
``!=`` versions such as 1.0.6 do so too, and then ``tcp sport != 22 tcp dport != 80`` holds unless
both are equal. Their listing shows two matches all the same.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile

from hopback.datapath.netfilter.layout import Bits, place_of
from hopback.snapshot.rows import FilterRule, Match, Step

_REGISTER, _FAST_MAX = 128, 32
"""Bits of a register, and of what the kernel loads fast."""

_BASES = ("link", "network", "transport")


def groups(rule: FilterRule) -> Iterator[tuple[Step, ...]]:
    """The steps in order; those that may be one comparison come together."""
    unequal = sum(isinstance(step, Match) and step.op == "!=" for step in rule.steps)
    by_iptables = rule.backend == "legacy" or rule.text.startswith("-")
    if unequal < 2 or by_iptables:
        yield from ((step,) for step in rule.steps)
        return
    taken: set[int] = set()
    merged = {numbers[0]: numbers for numbers in _merged(rule.steps)}
    for at, step in enumerate(rule.steps):
        if at in merged:
            taken.update(merged[at])
            yield tuple(rule.steps[number] for number in merged[at])
        elif at not in taken:
            yield (step,)


def _merged(steps: Sequence[Step]) -> Iterator[tuple[int, ...]]:
    """The numbers of the steps, from the first one up, that nft may have made one of."""
    matches = takewhile(lambda step: isinstance(step, Match), steps)
    found = [(place, at) for at, step in enumerate(matches) if (place := _compared(step))]
    found.sort(key=lambda each: (_BASES.index(each[0].base), each[0].first))
    while found:
        (whole, first), numbers = found.pop(0), list[int]()
        op = _op(steps[first])
        while found and _op(steps[found[0][1]]) == op and _is_next(whole, found[0][0]):
            more, at = found.pop(0)
            whole = whole._replace(width=whole.width + more.width)
            numbers.append(at)
        if numbers and op == "!=":
            yield tuple(sorted((first, *numbers)))


def _is_next(whole: Bits, more: Bits) -> bool:
    """payload_can_merge: two loads that are fast each are not given up for one that is not."""
    follows = (whole.base, whole.first + whole.width) == (more.base, more.first)
    is_slow = whole.base == "link" or max(whole.width, more.width) > _FAST_MAX
    return follows and whole.width + more.width <= (_REGISTER if is_slow else _FAST_MAX)


def _op(step: Step) -> str:
    return step.op if isinstance(step, Match) else ""


def _compared(step: Step) -> Bits | None:
    """The whole bytes of a header that the step compares with one value."""
    match step:
        case Match(fields=(field,), values=((int(),),), op="==" | "!=", set="") if not field.mask:
            place = place_of(field.key)
            if place and not place.first % 8 and not place.width % 8:
                return place
    return None

"""Matches that nft has taken together (nft's src/rule.c:stmt_reduce).

Of fields that lie side by side nft makes one comparison. For ``!=`` versions such as 1.0.6 do so
too, and then ``tcp sport != 22 tcp dport != 80`` holds unless both are equal. Their listing shows
two matches all the same.
"""

from collections.abc import Iterator, Sequence

from hopback.datapath.netfilter.layout import Bits, place_of
from hopback.snapshot.rows import FilterRule, Match, Step

_LINK_MAX, _FAST_MAX = 128, 32
"""Bits: a register, and what the kernel loads fast, which is not given up for anything larger."""


def groups(rule: FilterRule) -> Iterator[tuple[Step, ...]]:
    """The steps in order; those that may be one comparison come together."""
    steps, at = rule.steps, 0
    by_iptables = rule.backend == "legacy" or rule.text.startswith("-")
    while at < len(steps):
        count = 1 if by_iptables else _length(steps, at)
        yield steps[at : at + count]
        at += count


def _length(steps: Sequence[Step], at: int) -> int:
    """How many steps from ``at`` on nft may have taken together (nft's payload_can_merge)."""
    whole, count = _unequal(steps[at]), 1
    while whole is not None and at + count < len(steps):
        more = _unequal(steps[at + count])
        if more is None or more.base != whole.base:
            break
        width = whole.width + more.width
        if width > (_LINK_MAX if whole.base == "link" else _FAST_MAX):
            break
        if more.first not in (whole.first + whole.width, whole.first - more.width):
            break
        whole = Bits(whole.base, min(whole.first, more.first), width)
        count += 1
    return count


def _unequal(step: Step) -> Bits | None:
    """The whole bytes of a header that the step compares with one value by ``!=``."""
    match step:
        case Match(fields=(field,), values=((int(),),), op="!=", set="") if field.mask is None:
            place = place_of(field.key)
            if place and not place.first % 8 and not place.width % 8:
                return place
    return None

"""What there should be for an interface, beside what was listed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from hopback.network.nwfilter.installed import Installed
from hopback.snapshot.rows import FilterChain, FilterRule, Match, Opaque, Step, Unsure, Verdict

_PAIRS_MAX = 1_000_000

_Key = tuple[str, str, str]


class Difference(Struct, frozen=True):
    """Something that is not there, or is there and should not be.

    ``rule`` cites the filter's rule for what is missing, the listing's for what is too much; None
    where a whole chain is meant. ``many``: the chains are too long to say where they differ.
    """

    kind: Literal["missing-chain", "extra-chain", "missing-rule", "extra-rule", "many"]
    chain: FilterChain
    rule: FilterRule | None = None


def differences(
    wanted: Installed, chains: Sequence[FilterChain], rules: Sequence[FilterRule]
) -> tuple[Difference, ...]:
    """How ``chains`` and ``rules``, one listing of each table, differ from what is ``wanted``.

    Tables that were not listed are not compared. Chains that others use too (PREROUTING, FORWARD,
    libvirt-in) have to hold the wanted rules, in any place. A chain counts as too much if it bears
    the name of an interface of ``wanted``. A step of which a variable is not known fits any value.
    """
    seen = {_key(row): row for row in chains}
    tables = {(row.family, row.table) for row in chains}
    found: list[Difference] = []
    for chain in wanted.chains:
        if (chain.family, chain.table) in tables:
            own = _rules(wanted.rules, chain)
            listed = seen.get(_key(chain))
            if listed is None:
                found.append(Difference("missing-chain", chain))
            elif _is_shared(chain):
                found += _not_among(listed, own, _rules(rules, chain))
            else:
                found += _without_order(list(_compared(listed, own, _rules(rules, chain))))
    return (*found, *_too_many(wanted, chains))


def _key(row: FilterChain) -> _Key:
    return row.family, row.table, row.name


def _rules(rules: Iterable[FilterRule], chain: FilterChain) -> list[FilterRule]:
    at = _key(chain)
    own = [rule for rule in rules if (rule.family, rule.table, rule.chain) == at]
    return sorted(own, key=lambda rule: rule.place)


def _is_shared(chain: FilterChain) -> bool:
    shared = ("libvirt-in", "libvirt-out", "libvirt-in-post", "libvirt-host-in")
    return chain.hook is not None or chain.name in shared


def _not_among(
    chain: FilterChain, wanted: Sequence[FilterRule], seen: Sequence[FilterRule]
) -> Iterator[Difference]:
    for rule in wanted:
        if chain.whole and not any(same(rule.steps, other.steps) for other in seen):
            yield Difference("missing-rule", chain, rule)


def _too_many(wanted: Installed, chains: Iterable[FilterChain]) -> Iterator[Difference]:
    """Chains that are libvirt's for the same interfaces, and not wanted."""
    names = {_key(chain) for chain in wanted.chains}
    roots = {c.name.partition("-")[2].partition("-")[2] for c in wanted.chains if _is_root(c)}
    devices = {name for name in roots if name} | {
        c.name[3:] for c in wanted.chains if c.name.startswith("FI-")
    }
    for chain in chains:
        head, _, rest = chain.name.partition("-")
        if head == "libvirt":
            head, _, rest = rest.partition("-")
        mine = any(rest == device or rest.startswith(f"{device}-") for device in devices)
        if head in ("I", "O", "FI", "FO", "HI") and mine and _key(chain) not in names:
            yield Difference("extra-chain", chain)


def _is_root(chain: FilterChain) -> bool:
    return chain.name.startswith(("libvirt-I-", "libvirt-O-"))


def _compared(
    chain: FilterChain, wanted: Sequence[FilterRule], seen: Sequence[FilterRule]
) -> Iterator[Difference]:
    """The shortest way from one list to the other (a longest common subsequence)."""
    if len(wanted) * len(seen) > _PAIRS_MAX:
        if len(wanted) != len(seen) or not all(map(_same_rules, wanted, seen)):
            yield Difference("many", chain)
        return
    lengths = [[0] * (len(seen) + 1) for _ in range(len(wanted) + 1)]
    for i in range(len(wanted) - 1, -1, -1):
        for j in range(len(seen) - 1, -1, -1):
            if _same_rules(wanted[i], seen[j]):
                lengths[i][j] = lengths[i + 1][j + 1] + 1
            else:
                lengths[i][j] = max(lengths[i + 1][j], lengths[i][j + 1])
    i = j = 0
    while i < len(wanted) or j < len(seen):
        both = i < len(wanted) and j < len(seen)
        if both and _same_rules(wanted[i], seen[j]):
            i, j = i + 1, j + 1
        elif j == len(seen) or (i < len(wanted) and lengths[i + 1][j] >= lengths[i][j + 1]):
            if chain.whole:
                yield Difference("missing-rule", chain, wanted[i])
            i += 1
        else:
            yield Difference("extra-rule", chain, seen[j])
            j += 1


def _without_order(found: list[Difference]) -> list[Difference]:
    """Jumps to chains of one priority stand in the order of a hash table: any will do."""
    missing = [one for one in found if one.kind == "missing-rule" and _jumps(one)]
    for one in missing:
        twin = next(
            (other for other in found if other.kind == "extra-rule" and _twins(one, other)), None
        )
        if twin is not None:
            found.remove(one)
            found.remove(twin)
    return found


def _jumps(one: Difference) -> bool:
    last = one.rule.steps[-1] if one.rule else None
    return isinstance(last, Verdict) and last.kind == "jump"


def _twins(one: Difference, other: Difference) -> bool:
    return one.rule is not None and other.rule is not None and _same_rules(one.rule, other.rule)


def _same_rules(wanted: FilterRule, seen: FilterRule) -> bool:
    return same(wanted.steps, seen.steps)


def same(wanted: Sequence[Step], seen: Sequence[Step]) -> bool:
    """Whether two rules do the same, whatever the order of their matches.

    Of what was not understood only its being there is compared.
    """
    left = list(map(_plain, seen))
    open_keys = [
        step.text.rpartition(" $")[0]
        for step in wanted
        if isinstance(step, Unsure) and " $" in step.text
    ]
    for key in open_keys:
        fit = next((s for s in left if isinstance(s, Match) and s.fields[0].key == key), None)
        if fit is None:
            return False
        left.remove(fit)
    others = [_plain(s) for s in wanted if not (isinstance(s, Unsure) and " $" in s.text)]
    return _sorted(others) == _sorted(left)


def _plain(step: Step) -> Step:
    """The step without its wording, and with its values in order."""
    if isinstance(step, Unsure | Opaque):
        return type(step)("")
    if isinstance(step, Match):
        return Match(step.fields, tuple(sorted(step.values, key=repr)), step.op, step.set)
    return step


def _sorted(steps: Iterable[Step]) -> list[str]:
    found = list(steps)
    matches = sorted(repr(step) for step in found if isinstance(step, Match | Unsure | Opaque))
    return [*matches, *(repr(s) for s in found if not isinstance(s, Match | Unsure | Opaque))]

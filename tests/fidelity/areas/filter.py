"""Where a bridge calls the packet filters, and what their verdicts do to each copy."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random

from msgspec.structs import replace as changed

from hopback.datapath.effects import World
from hopback.datapath.netfilter.hooks import Netfilter
from hopback.datapath.netfilter.packet import Outcome, Passed, Seen, Stopped
from hopback.datapath.netfilter.ruleset import Ruleset
from tests.fidelity.area import Prediction, Result
from tests.fidelity.areas.bridge import state_of
from tests.fidelity.areas.bridge_cases import (
    STATIONS,
    BridgeCase,
    addresses,
    random_case,
    smaller_case,
)
from tests.fidelity.mutants import Mutation
from tests.fidelity.shrink import changed_at, fewer, plainer
from tests.fidelity.taps import HOST, observed, predicted
from tests.kernel.filter_rig import CHAINS, BridgeHook, FilterBridge, Rule, filter_refusal

_PORTS = 4
_RULES_MAX = 6


@dataclass(frozen=True)
class FilterCase(BridgeCase):
    """A bridge whose frames meet ``rules``, of each chain the first that fits."""

    rules: tuple[Rule, ...] = ()


class FilterArea:
    """``brouting``: with the table broute, which only old kernels and ebtables (legacy) have."""

    not_covered = (
        "chains of priority 0 and above beside br_netfilter",
        "what a chain makes of its rules: that is the evaluator's",
        "hooks of single devices (netdev)",
    )
    enumerated: Sequence[FilterCase] = ()

    def __init__(self, name: str, rules: frozenset[str], *, brouting: bool) -> None:
        self.name = name
        self.rules = rules
        self._brouting = brouting

    def refusal(self) -> str | None:
        return filter_refusal(brouting=self._brouting)

    def generate(self, chance: Random) -> FilterCase:
        plain = random_case(chance, _PORTS)
        if self._brouting:
            plain = replace(plain, frames=tuple(f for f in plain.frames if not _is_double(f[1])))
        count = chance.randint(1, _RULES_MAX)
        rules = tuple(_rule(chance, brouting=self._brouting) for _ in range(count))
        return FilterCase(
            plain.ports, False, plain.entries, plain.settings, plain.frames, rules=rules
        )

    def smaller(self, case: FilterCase) -> Iterator[FilterCase]:
        for rules in fewer(case.rules):
            yield replace(case, rules=rules)
        for index, rule in enumerate(case.rules):
            for plain in plainer(rule):
                yield replace(case, rules=changed_at(case.rules, index, plain))
        yield from (small for small in smaller_case(case) if len(small.ports) == _PORTS)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[FilterCase], Result]]:
        with FilterBridge(_PORTS, brouting=self._brouting) as bridge:

            def run(case: FilterCase) -> Result:
                bridge.filter(case.rules)
                bridge.configure(case.ports, case.entries, case.settings)
                return observed(bridge, case.frames)

            yield run

    def model(self, case: FilterCase, mutation: Mutation) -> Prediction:
        netfilter = Netfilter(Ruleset(HOST), frozenset({"bridge"}), ask=_asking(case.rules))
        return predicted(state_of(case), case.frames, mutation, netfilter)


AREA = FilterArea("filter", frozenset({"filter-drop"}), brouting=False)


def _rule(chance: Random, *, brouting: bool) -> Rule:
    hook: BridgeHook = "brouting"
    if not brouting or chance.random() < 0.6:
        hook = chance.choice(CHAINS)
    rule = Rule(hook)
    if hook in ("brouting", "prerouting", "input", "forward") and chance.random() < 0.5:
        rule = replace(rule, indev=chance.randrange(_PORTS))
    if hook in ("forward", "output", "postrouting") and chance.random() < 0.8:
        rule = replace(rule, outdev=chance.randrange(_PORTS))
    if chance.random() < 0.7 or rule == Rule(hook):
        _, target = addresses(chance, _PORTS, (1, 1), (0.5, 0.8, 0.9))
        rule = replace(rule, target=target)
    kind = chance.random()
    if hook == "prerouting" and kind < 0.3:
        return replace(rule, to=chance.choice(STATIONS))
    if hook == "postrouting" and kind < 0.3:
        return replace(rule, source=chance.choice(STATIONS))
    return rule


def _is_double(raw: bytes) -> bool:
    """Whether it has two tags: only the outer is taken off, and then no observer sees it."""
    return raw[12:14] == b"\x88\xa8"


def _asking(rules: Sequence[Rule]) -> Callable[[Ruleset, World, Seen, range], Outcome]:
    """The chains in the simplest way: the first rule that fits decides."""

    def ask(_: Ruleset, world: World, seen: Seen, priorities: range) -> Outcome:
        rule = next((rule for rule in rules if _fits(rule, seen)), None)
        if rule is None:
            return Passed(seen.frame, seen.skb)
        if rule.to is not None:
            return Passed(changed(seen.frame, dst=rule.to), seen.skb)
        if rule.source is not None:
            return Passed(changed(seen.frame, src=rule.source), seen.skb)
        return Stopped("drop", rule.hook, ())

    return ask


def _fits(rule: Rule, seen: Seen) -> bool:
    return (
        rule.hook == seen.hook
        and (rule.indev is None or seen.indev == f"lp{rule.indev}")
        and (rule.outdev is None or seen.outdev == f"lp{rule.outdev}")
        and rule.target in (None, seen.frame.dst)
    )

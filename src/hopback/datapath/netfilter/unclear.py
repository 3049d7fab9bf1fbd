"""What of a namespace's packet filters cannot be evaluated, and whose frames it may touch."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hopback.datapath.netfilter.ruleset import Chain, Key, Ruleset
from hopback.network.facts import Ref
from hopback.snapshot.rows import (
    Choice,
    FilterRule,
    Mangle,
    Match,
    Nat,
    Opaque,
    Step,
    Unsure,
    Verdict,
)

_DEVICE_FIELDS = frozenset({"meta iifname", "meta oifname", "physdev in", "physdev out"})
_Devices = frozenset[str] | None


class Unclear(NamedTuple):
    """A filter, or a rule of one; ``devices`` None if it may touch any device's frames."""

    what: str
    family: str
    devices: _Devices
    ref: Ref

    def touches(self, dev: str) -> bool:
        """Whether frames of the device may meet it."""
        return self.devices is None or dev in self.devices


def unclear(rules: Ruleset) -> Iterator[Unclear]:
    """Filters that were noticed alone, chains listed in part, rules that are not understood."""
    for unseen in rules.unseen:
        devices = None if unseen.devices is None else frozenset(unseen.devices)
        yield Unclear(unseen.what, unseen.family, devices, unseen.ref)
    for (family, _), chains in rules.hooks.items():
        for chain in chains:
            own = None if chain.row.devices is None else frozenset(chain.row.devices)
            for devices, what, ref in _within(rules, chain, own):
                yield Unclear(what, family, devices, ref)


def _within(rules: Ruleset, base: Chain, own: _Devices) -> Iterator[tuple[_Devices, str, Ref]]:
    """In the chain and in those that it leads to, each once for the devices it is reached for."""
    todo = deque([(base, own)])
    met: set[tuple[Key, _Devices]] = set()
    while todo:
        chain, devices = todo.popleft()
        if not chain.row.whole:
            yield devices, f"{chain.text}, of which not all rules were listed,", chain.ref
        for rule in chain.rules:
            narrowed = _named(rule.steps) or devices
            if _is_unclear(rule):
                text = f"{chain.text} rule {rule.place} ({rule.text})"
                yield narrowed, text, Ref(chain.ref.host, rule.cite)
            for name in _followed(rule.steps):
                key = Key(chain.row.backend, chain.row.family, chain.row.table, name)
                if key in rules.chains and (key, narrowed) not in met:
                    met.add((key, narrowed))
                    todo.append((rules.chains[key], narrowed))


def _is_unclear(rule: FilterRule) -> bool:
    """An unsure match matters only if something follows from it."""
    open_ = False
    for step in rule.steps:
        if isinstance(step, Opaque):
            return True
        open_ = open_ or isinstance(step, Unsure)
        if open_ and isinstance(step, Verdict | Choice | Nat | Mangle):
            return True
    return False


def _followed(steps: Iterable[Step]) -> Iterator[str]:
    """The chains to which a rule may lead."""
    for step in steps:
        verdicts = [step] if isinstance(step, Verdict) else []
        if isinstance(step, Choice):
            verdicts = [verdict for _, verdict in step.entries]
        yield from (verdict.chain for verdict in verdicts if verdict.chain)


def _named(steps: Iterable[Step]) -> frozenset[str] | None:
    """The devices that a rule names; None if it names none, or many at once."""
    found = {
        str(element[0])
        for step in steps
        if isinstance(step, Match) and step.op == "==" and len(step.fields) == 1
        if step.fields[0].key in _DEVICE_FIELDS
        for element in step.values
    }
    if not found or any(name in ("", "*") or name.endswith("*") for name in found):
        return None
    return frozenset(found)

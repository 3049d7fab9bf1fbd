"""The evaluator as areas call it: questions get their default, mutants undo what it does."""

from contextlib import closing
from functools import cache

from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Log, Question, Why, World
from hopback.datapath.netfilter.packet import Outcome, Passed, Seen, Stopped
from hopback.datapath.netfilter.ruleset import Ruleset
from hopback.datapath.netfilter.steps import COMPARES_AS_ONE, NO, YES
from hopback.datapath.netfilter.traverse import traverse
from hopback.lab.netns.namespace import Namespace
from hopback.network.facts import DevId
from tests.fidelity.mutants import Mutation, Spot, faithful
from tests.kernel.rig import checked

_UP_TO_CONNTRACK = range(-(2**31), -199)
_NOWHERE = DevId("", "", "")


@cache
def _compares_as_one() -> str:
    """Whether the nft of this machine does."""
    script = "add table ip t; add chain ip t c; add rule ip t c tcp sport != 22 tcp dport != 80"
    with closing(Namespace.anonymous()) as space, space:
        said = checked(["nft", "--debug=netlink", "-c", script])
    return YES if "load 4b @ transport header" in said else NO


class Calls:
    """The rules with the connections so far.

    ``fired`` are the rules of the model by which packets were changed.
    """

    def __init__(self, rules: Ruleset, mutation: Mutation) -> None:
        self.fired: set[str] = set()
        self._rules = rules
        self._mutation = mutation
        self._world: dict[Question, str] = {}

    def outcome(self, _: Ruleset, world: World, seen: Seen, priorities: range) -> Outcome:
        """What ``traverse`` says, all of it undone that a falsified rule did."""
        found = traverse(self._rules, self._world, seen, priorities)
        while isinstance(found, Ask):
            question = found.question
            is_of_nft = question.text == COMPARES_AS_ONE
            self._world[question] = _compares_as_one() if is_of_nft else question.default
            found = traverse(self._rules, self._world, seen, priorities)
        if isinstance(found, Blind) and self._mutation is not faithful:
            return Stopped("drop", "", ())  # a wrong model may come to what no case has
        if isinstance(found, Stopped) and found.rule == "nat-other-device":
            self._forget(seen)
        if not isinstance(found, Passed):
            self._note(traverse(self._rules, self._world, seen, _UP_TO_CONNTRACK), leaving=False)
            return found
        done = {why.rule for why in found.done}
        self.fired |= done
        if any(self._is_wrong(rule, seen) for rule in done):
            found = Passed(seen.frame, seen.skb)
        self._note(found, leaving=seen.hook in ("input", "postrouting"))
        return found

    def _note(self, found: Outcome, *, leaving: bool) -> None:
        """A new connection is entered on the way out; of a known one whatever changes, at once."""
        connection = found.skb.connection if isinstance(found, Passed) else None
        if connection and (leaving or connection.original in self._rules.connections):
            self._rules = self._rules.knowing(connection)

    def _forget(self, seen: Seen) -> None:
        """The kernel's entry is gone, so that what comes next begins another."""
        known = self._rules.connections
        gone = seen.skb.connection and seen.skb.connection.original
        kept = {at: each for at, each in known.items() if each.original != gone}
        self._rules = replace(self._rules, connections=kept)

    def _is_wrong(self, rule: str, seen: Seen) -> bool:
        said = Log("", Why(rule))
        return list(self._mutation([said], Spot(_NOWHERE, None, seen.frame))) != [said]

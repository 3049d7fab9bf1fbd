"""Steps of filter rules, spelled out."""

from hopback.snapshot.rows import Field, FilterRule, Match, Operator, Step, Value, Verdict
from hopback.sources.parse import xtables
from tests.sources.parse.given import listing, rows

ACCEPT, DROP, RETURN = Verdict("accept"), Verdict("drop"), Verdict("return")
UDP, TCP = Match((Field("meta l4proto"),), ((17,),)), Match((Field("meta l4proto"),), ((6,),))


def is_(key: str, *values: Value, op: Operator = "==", mask: int | None = None) -> Match:
    """A step that compares one field."""
    return Match((Field(key, mask),), tuple((value,) for value in values), op)


def steps(rule: str, tool: str = "iptables") -> tuple[Step, ...]:
    """The steps of a rule of the chain FORWARD."""
    (row,) = rows(xtables.parse(listing(f"-A FORWARD {rule}", f"{tool} -S")), FilterRule)
    return row.steps


def ip(text: str) -> int:
    """An IPv4 address as rows have it."""
    first, second, third, fourth = map(int, text.split("."))
    return first << 24 | second << 16 | third << 8 | fourth

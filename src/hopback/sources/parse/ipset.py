"""``ipset save`` and ``ipset list``: named sets of addresses that iptables' rules look into."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Element, FilterSet, Row, Span, Value
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.listing import CUT, stray, unreadable
from hopback.sources.parse.xt.values import address_range, masked, network, ports, protocol

COMMANDS: tuple[tuple[str, ...], ...] = (("ipset",),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"create \S+ (?:bitmap|hash|list):[a-z,]+(?: |\Z)|add \S+ \S+(?: (?:timeout|nomatch)\b.*)?\Z"
)
FILLS: tuple[type[Row], ...] = (FilterSet,)

_CREATE = re.compile(r"create (?P<name>\S+) (?P<kind>(?:bitmap|hash|list):[a-z,]+)(?P<rest>.*)")
_ADD = re.compile(r"add (?P<name>\S+) (?P<entry>\S+)(?P<rest>.*)")
_FIELD = re.compile(r"(?P<key>Name|Type|Header|Members):(?P<value>.*)")
_ABOUT = re.compile(r"(?:Revision|Size in memory|References|Number of entries): ")
_COMPLAINT = re.compile(r"ipset v\S+:|.*(?:command not found|Operation not permitted|must be root)")
_NETMASK = re.compile(r"\bnetmask (\S+)")
_TERSE = frozenset({"-t", "-terse", "-n", "-name"})
_ICMP, _ICMP6 = 1, 58


class _Set:
    def __init__(self, index: int, name: str, kind: str = "", header: str = "") -> None:
        self.index = index
        self.name = name
        self.kind = kind
        self.whole = True
        self._netmask = ""
        self._elements: list[Element] = []
        self._except: list[Element] = []
        self.describe(header)

    def describe(self, header: str) -> None:
        """Take the properties: under a netmask an address stands for its whole network."""
        if found := _NETMASK.search(header):
            self._netmask = f"/{found[1]}"

    def add(self, entry: str, rest: str) -> None:
        """Take an entry; ValueError for what rows cannot say."""
        types = self.kind.partition(":")[2].split(",")
        parts = entry.split(",")
        if len(parts) != len(types):
            raise ValueError("not of the set's kind")
        with_protocol = self.kind != "bitmap:port"
        element = tuple(
            _value(kind, part, self._netmask, with_protocol)
            for kind, part in zip(types, parts, strict=True)
        )
        (self._except if "nomatch" in rest.split() else self._elements).append(element)

    def row(self, text: Text) -> FilterSet:
        """The row; exceptions are taken out of what they are part of."""
        elements: Sequence[Element] = self._elements
        whole = self.whole
        for exception in self._except:
            if len(exception) > 1:
                elements, whole = (), False
                break
            elements = list(chain.from_iterable(_without(one, exception) for one in elements))
        return FilterSet(
            cite=text.cite(self.index),
            netns=text.netns,
            backend="ipset",
            name=self.name,
            kind=self.kind,
            elements=tuple(elements),
            whole=whole,
        )


def _value(kind: str, text: str, netmask: str, with_protocol: bool) -> Value:
    """One dimension of an entry."""
    match kind:
        case "ip" | "net" if "-" in text:
            return address_range(text)
        case "ip" | "net":
            whole = text if "/" in text else text + netmask
            value, holes = network(whole, ":" in text)
            if holes is not None:
                raise ValueError("not a prefix")
            return value
        case "port":
            return _port(text) if with_protocol else ports(text, "-")
        case "mac":
            return parse_mac(text)
        case "mark":
            return masked(text)[0]
        case "iface" if not text.startswith("physdev:"):
            return text
        case "set":
            return text
    raise ValueError(f"not known: {kind}")


def _port(text: str) -> Value:
    """``tcp:80``, ``icmp:echo-request``: the protocol above the 16 bits of the port."""
    name, colon, rest = text.rpartition(":")
    carrier = protocol(name) if colon else protocol("tcp")
    if carrier in (_ICMP, _ICMP6):
        from hopback.sources.parse.xt.matches import icmp_type  # few sets hold any

        kind, code = icmp_type(rest, six=carrier == _ICMP6)
        return carrier << 16 | kind << 8 | (code or 0)
    value = ports(rest, "-")
    if isinstance(value, Span):
        return Span(carrier << 16 | value.first, carrier << 16 | value.last)
    return carrier << 16 | int(value)


def _without(element: Element, exception: Element) -> Iterator[Element]:
    """What of ``element`` is not ``exception``, if that is a part of it."""
    (first, last), (start, end) = _ends(element[0]), _ends(exception[0])
    if not (first <= start and end <= last):
        yield element
        return
    if first < start:
        yield (Span(first, start - 1),)
    if end < last:
        yield (Span(end + 1, last),)


def _ends(value: Value) -> tuple[int, int]:
    if isinstance(value, Span):
        return value.first, value.last
    return (value, value) if isinstance(value, int) else (-1, -1)


def parse(text: Text) -> Parsed:
    """One row for each set; a set whose entries were not all shown or understood is not whole."""
    sets: dict[str, _Set] = {}
    problems = list(_read(text, sets))
    for one in sets.values():
        one.whole = one.whole and not text.filtered
    return Parsed([one.row(text) for one in sets.values()], problems)


def _read(text: Text, sets: dict[str, _Set]) -> Iterator[Problem]:
    listed: _Set | None = None  # the set of ``ipset list`` whose members follow
    terse = not _TERSE.isdisjoint(text.command)
    for index, line in text.numbered():
        if found := _CREATE.match(line):
            one = _Set(index, found["name"], found["kind"], found["rest"])
            sets.setdefault(found["name"], one)
        elif (found := _ADD.match(line)) and found["name"] in sets:
            yield from _add(text, index, sets[found["name"]], found["entry"], found["rest"])
        elif found := _FIELD.match(line):
            listed = _field(index, found["key"], found["value"].strip(), sets, listed)
            if listed is not None and found["key"] in ("Name", "Members"):
                listed.whole = found["key"] == "Members" and not terse
        elif _ABOUT.match(line):
            continue
        elif CUT.fullmatch(line.strip()):
            for one in sets.values():
                one.whole = False
        elif _COMPLAINT.match(line):
            yield unreadable(text, index, "the sets were not shown")
        elif listed is not None:
            entry, _, rest = line.strip().partition(" ")
            yield from _add(text, index, listed, entry, rest)
        else:
            yield from stray(text, index, "ipset")


def _field(
    index: int, key: str, value: str, sets: dict[str, _Set], listed: _Set | None
) -> _Set | None:
    """The set that a line of ``ipset list`` is about, with what the line says of it."""
    if key == "Name" and value:
        return sets.setdefault(value, _Set(index, value))
    if listed is not None and key == "Type":
        listed.kind = value
    elif listed is not None and key == "Header":
        listed.describe(value)
    return listed


def _add(text: Text, index: int, into: _Set, entry: str, rest: str) -> Iterator[Problem]:
    try:
        into.add(entry, rest)
    except ValueError:
        into.whole = False
        yield from stray(text, index, f"ipset {into.name}")

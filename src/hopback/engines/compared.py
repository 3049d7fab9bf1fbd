"""What packet filters compare frames with: the values that tell one frame from another.

Of each field the values that satisfy the same comparisons are one class; so is everything beside
them. Fields of the frame are put into messages of every kind, in every combination while these are
few. What a frame does not carry (a connection, a mark, a clock) cannot be put there: it is named.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from itertools import islice, product
from typing import NamedTuple

from msgspec import Struct

from hopback.datapath.model import Model
from hopback.datapath.netfilter.headers import headers_of, load, store
from hopback.datapath.netfilter.layout import Bits, needs_of, place_of
from hopback.datapath.netfilter.listings import Listed, chosen
from hopback.datapath.netfilter.rewrite import sealed
from hopback.engines.messages import LOCAL_EXPERIMENTAL, MESSAGES
from hopback.engines.reached import absent_ports, rules_reached
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.frames.mac import Mac
from hopback.snapshot.rows import Choice, Element, Field, Mapped, Match, Nat, Span, Value

SOURCE, DESTINATION, VLAN, TYPE = "ether saddr", "ether daddr", "vlan id", "ether type"
_HEADER = (SOURCE, DESTINATION, VLAN)
"""What the addresses and tags of a frame are made for; no message varies it."""

_TOLD_BY_THE_WAY = ("meta iif", "meta oif", "meta ibr", "meta obr", "meta pkttype", "physdev")
_TOLD_BY_THE_MESSAGE = ("meta protocol", "meta l4proto", "meta nfproto", "meta iiftype", "exthdr")
_ANY = "*"
_FIRST_BYTE = Bits("transport", 0, 8)
_VARIANTS_MAX = 64
_VALUES_MAX = 256


class Test(NamedTuple):
    """Values that a field is compared with, after ``mask``; ``bits``: any common bit is enough."""

    mask: int | None
    values: tuple[Value, ...]
    bits: bool = False

    def fits(self, value: int) -> bool:
        """Whether a packet with ``value`` satisfies it, or whatever it was the negation of."""
        seen = value if self.mask is None else value & self.mask
        return any(_fits(seen, wanted, self.bits) for wanted in self.values)

    def candidates(self) -> Iterator[int]:
        """Numbers on both sides of each of its borders."""
        for value in self.values:
            if isinstance(value, Span):
                yield from (value.first, value.last, value.first - 1, value.last + 1)
            elif isinstance(value, int):
                yield from (value, value - 1, value + 1)


class Compared(Struct, frozen=True):
    """The tests of each field, by its name. ``elsewhere``: in words, what was left out.

    ``protocols`` are the EtherTypes and protocols of IP that some rule asks for.
    """

    tests: Mapping[str, tuple[Test, ...]]
    protocols: frozenset[int | None] = frozenset()
    elsewhere: tuple[str, ...] = ()

    def facts(self, key: str, value: int) -> frozenset[Hashable]:
        """Which tests of ``key`` the value satisfies."""
        return frozenset(n for n, test in enumerate(self.tests.get(key, ())) if test.fits(value))

    def values(self, key: str, usual: int) -> tuple[int, ...]:
        """A number of each class, that of the ``usual`` one first."""
        classes = {self.facts(key, usual): usual}
        for test in self.tests.get(key, ()):
            for value in test.candidates():
                if value >= 0:
                    classes.setdefault(self.facts(key, value), value)
        return tuple(classes.values())

    @property
    def payload(self) -> bool:
        """Whether anything is compared but addresses and tags."""
        return bool(self.protocols - {None}) or any(key not in _HEADER for key in self.tests)

    def signature(self, frame: Frame) -> Hashable:
        """What the filters can see of the frame's payload: equal ones go the same way."""
        raw = encode(frame)
        headers = headers_of(raw, routed=False)
        kinds = (headers.protocol, headers.l4proto)
        needed = tuple(kind if kind in self.protocols else None for kind in kinds)
        fields = []
        for key in self.tests:
            place = None if key in _HEADER else place_of(key)
            found = load(raw, headers, place) if place else None
            icmp = needs_of(key).types and load(raw, headers, _FIRST_BYTE)
            fields.append((None if found is None else self.facts(key, found), icmp))
        return needed, headers.extensions, tuple(fields)

    def messages(self) -> tuple[tuple[Frame, ...], bool]:
        """A message for each signature; whether all combinations were made."""
        made = [self.variants(message) for message in MESSAGES]
        found = {self.signature(frame): frame for frames, _ in made for frame in frames}
        return tuple(found.values()), all(whole for _, whole in made)

    def variants(self, frame: Frame) -> tuple[tuple[Frame, ...], bool]:
        """The message with every combination of values; whether these are all of them."""
        raw = encode(frame)
        headers = headers_of(raw, routed=False)
        known = frame.ethertype != LOCAL_EXPERIMENTAL
        fields = []
        for key in self.tests:
            place = None if key in _HEADER or (known and key == TYPE) else place_of(key)
            usual = load(raw, headers, place) if place else None
            if place is not None and usual is not None:
                limit = 1 << place.width
                found = [v for v in self.values(key, usual) if v < limit]
                fields.append([(place, value) for value in found])
        made = list(islice(product(*fields), _VARIANTS_MAX + 1))
        frames = []
        for values in made[:_VARIANTS_MAX]:
            changed = raw
            for bits, value in values:
                changed = store(changed, headers, bits, value) or changed
            frames.append(decode(sealed(raw, changed, headers)))
        return tuple(frames), len(made) <= _VARIANTS_MAX


NOTHING = Compared({})


def compared_by(model: Model) -> Compared:
    """What the filters compare that the model calls."""
    tests: dict[str, dict[Test, None]] = defaultdict(dict)
    elsewhere: dict[str, None] = {}
    protocols: set[int | None] = set()
    for host, netns in model.netfilter:
        families = _called(model, host, netns)
        listed = chosen(model.network.snapshots[host], netns)
        absent = absent_ports(model, host, netns)
        for key, test in _tests(listed, families, absent):
            if key in ("meta protocol", "meta l4proto"):
                protocols |= {value for value in test.values if isinstance(value, int)}
            if key.startswith((*_TOLD_BY_THE_WAY, *_TOLD_BY_THE_MESSAGE)):
                continue
            if place_of(key) is None or (key.startswith("vlan ") and key != VLAN):
                elsewhere[f"a filter looks at {key}"] = None
            elif len(test.values) > _VALUES_MAX:
                elsewhere[f"a filter compares {key} with {len(test.values)} values"] = None
            else:
                tests[key][test] = None
    needed = [needs_of(key) for key in tests]
    protocols |= {kind for needs in needed for kind in (needs.ethertype, needs.l4proto)}
    return Compared(
        {key: tuple(found) for key, found in tests.items()}, frozenset(protocols), tuple(elsewhere)
    )


def macs(compared: Compared) -> Iterator[Mac]:
    """Addresses on both sides of what is compared."""
    for key in (SOURCE, DESTINATION):
        for test in compared.tests.get(key, ()):
            yield from (Mac(value) for value in test.candidates() if 0 < value < 1 << 48)


def _called(model: Model, host: str, netns: str) -> frozenset[str]:
    """The families of rules that what is switched there may meet."""
    states = [nf for bridge, nf in model.bridge_nf.items() if bridge[:2] == (host, netns)]
    off = [{f for f, told in nf.calls.items() if not told.value} for nf in states]
    found = {f for f in ("ip", "ip6", "arp") if any(f not in refused for refused in off)}
    return frozenset((*found, "bridge", "netdev", *(("inet",) if found & {"ip", "ip6"} else ())))


def _tests(
    listed: Listed, families: frozenset[str], absent: frozenset[str]
) -> Iterator[tuple[str, Test]]:
    sets: dict[Hashable, tuple[Element, ...]] = {
        (s.backend, s.family, s.table, s.name): s.elements for s in listed.sets
    }
    for family, table, rule in rules_reached(listed, absent):
        for step in rule.steps if family in families else ():
            for fields, elements, name, op in _comparisons(step):
                named = sets.get((*table, name), ()) if name else ()
                yield from _of_fields(fields, (*elements, *named), op, step)


def _comparisons(step: object) -> Iterator[tuple[tuple[Field, ...], tuple[Element, ...], str, str]]:
    match step:
        case Match(fields=fields, values=values, op=op, set=name):
            yield fields, values, name, op
        case Choice(fields=fields, entries=entries, map=name):
            yield fields, tuple(element for element, _ in entries), name, "=="
        case Nat():
            for part in (step.address, step.port, step.both):
                if isinstance(part, Mapped):
                    yield part.fields, tuple(e for e, _ in part.entries), part.map, "=="


def _of_fields(
    fields: tuple[Field, ...], elements: tuple[Element, ...], op: str, step: object
) -> Iterator[tuple[str, Test]]:
    """One test of a field for all that a match names; of maps and of several, one for each."""
    for number, field in enumerate(fields):
        told = dict.fromkeys(e[number] for e in elements if len(e) == len(fields))
        values = tuple(_ordered(value, op) for value in told if value != _ANY)
        bits = op in ("has", "lacks")
        if (isinstance(step, Match) and len(fields) == 1) or len(values) > _VALUES_MAX:
            yield field.key, Test(field.mask, values, bits)
        else:
            yield from ((field.key, Test(field.mask, (value,), bits)) for value in values)


def _ordered(value: Value, op: str) -> Value:
    """A border as the numbers up to it."""
    if op not in ("<", "<=", ">", ">=") or not isinstance(value, int):
        return value
    return Span(0, value if op in ("<=", ">") else value - 1)


def _fits(seen: int, wanted: Value, bits: bool) -> bool:
    if isinstance(wanted, Span):
        return wanted.first <= seen <= wanted.last
    if isinstance(wanted, int):
        return bool(seen & wanted) if bits else seen == wanted
    return False

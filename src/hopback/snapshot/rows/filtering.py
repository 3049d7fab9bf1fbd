"""Packet filters: chains, rules and sets of nftables, iptables and ebtables in one form.

A rule is a row of steps, taken from left to right: a step that does not match ends the rule, a
verdict ends it with that verdict. What a parser does not understand stays a step (``Opaque``), and
what cannot be known from the packet is one too (``Unsure``): neither is ever left out. What changes
nothing for the packet (counters, logging, comments) is.

Names of fields are nft's words (nft(8)), whatever the dialect: ``meta iifname``, ``ether saddr``,
``ip daddr``, ``arp saddr ip``, ``ct state``, ``tcp dport``, ``vlan id``, ``exthdr frag``, ``frag
more-fragments``, ``tcp option maxseg size``, raw ``@nh,528,48`` (offset and length in bits, from
ll, nh, th or ih). A field that a packet does not have (``tcp dport`` of UDP, ``ip saddr`` of ARP)
ends the rule, whatever the operator. Some the packet does not tell (``numgen inc mod 2``, ``jhash
ip saddr mod 4``): they stand in maps; a match of such is ``Unsure``.

Addresses, MACs, marks, ports, types, codes, flags, DSCP and protocols are integers, also ``ether
type``, ``meta protocol``, ``meta l4proto``, ``meta iiftype`` (ARPHRD_*) and ``meta priority``.
Whether something is there (``exthdr frag``, ``tcp option sack-perm``, ``fib saddr . iif oif``) is 1
or 0. Text are: names of devices (``tap*`` is a prefix; ``meta iif`` and ``fib … oif`` too, unless
only a number is known), ``ct state``, ``ct status``, ``ct direction``, ``meta nfproto`` and ``ct
l3proto`` (``ipv4``, ``ipv6``), ``fib … type`` (``local`` …), ``meta pkttype`` (``host``,
``broadcast``, ``multicast``, ``otherhost``). The value ``"*"`` is any (nft's catch-all): such an
element comes last, and fits if nothing else does.

``ct original ip saddr`` and the like name the direction first; ``fib daddr . iif type`` limits the
type of an address to the device by which the packet came in. Where nft has no word, there is one:

- ``physdev in``, ``physdev out``: the bridge port of an IP packet that is bridged or was, "" if it
  has none (xt_physdev; ``--physdev-is-bridged`` and ``-is-out`` are ``physdev out`` != "").
- ``ip tos``: DSCP and ECN together.
- ``src``, ``dst``: of a match on an ipset, one for each dimension that the rule names; the ``kind``
  of the set tells what each stands for.
- ``snat`` and ``dnat`` as words of ``ct state``, beside the packet's own state: ``--ctstate
  DNAT``. Unlike bits of ``ct status`` they are asked of a packet without a connection too
  (net/netfilter/xt_conntrack.c, ``conntrack_mt``).

A ``Mangle`` of a field that the packet does not have ends the rule.
"""

from typing import Literal

from msgspec import Struct

from hopback.snapshot.rows.base import Row

FilterFamily = Literal["bridge", "ip", "ip6", "inet", "arp", "netdev"]
FilterBackend = Literal["nft", "legacy", "ipset"]
"""Who holds the rules: nf_tables (iptables-nft and ebtables-nft too), x_tables, or ip_set."""

Hook = Literal[
    "ingress", "prerouting", "input", "forward", "output", "postrouting", "brouting", "egress"
]
Operator = Literal["==", "!=", "<", "<=", ">", ">=", "has", "lacks"]
"""``has``: any bit of the value is set in the field; ``lacks``: none is."""


class Span(Struct, frozen=True, gc=False, tag="span"):
    """All values from ``first`` to ``last``, both included: a range, a prefix."""

    first: int
    last: int


Value = int | str | Span
Element = tuple[Value, ...]
"""One value for each field of a concatenation, mostly one."""


class Field(Struct, frozen=True, gc=False):
    """What is looked at in the packet, ANDed with ``mask`` if there is one."""

    key: str
    mask: int | None = None


class Match(Struct, frozen=True, gc=False, tag="match"):
    """True if the fields compare with one of ``values``, or with an element of the named ``set``.

    ``!=`` and ``lacks`` are true if they do so with none.
    """

    fields: tuple[Field, ...]
    values: tuple[Element, ...] = ()
    op: Operator = "=="
    set: str = ""


class Unsure(Struct, frozen=True, gc=False, tag="unsure"):
    """A match that the packet alone does not decide: a rate limit, chance, a quota, an owner."""

    text: str


class Opaque(Struct, frozen=True, gc=False, tag="opaque"):
    """Something that was not understood; from here on the rule may do anything."""

    text: str


class Verdict(Struct, frozen=True, gc=False, tag="verdict"):
    """How a rule ends. ``chain`` is where a jump or goto leads."""

    kind: Literal["accept", "drop", "reject", "return", "jump", "goto", "continue", "queue"]
    chain: str = ""


class Choice(Struct, frozen=True, gc=False, tag="choice"):
    """A verdict map: the verdict of the first entry that fits, or that of the named ``map``."""

    fields: tuple[Field, ...]
    entries: tuple[tuple[Element, Verdict], ...] = ()
    map: str = ""


class Mapped(Struct, frozen=True, gc=False, tag="mapped"):
    """A value found by looking fields up, in ``entries`` or in the named ``map``."""

    fields: tuple[Field, ...]
    entries: tuple[tuple[Element, Element], ...] = ()
    map: str = ""


class Nat(Struct, frozen=True, gc=False, tag="nat"):
    """Rewrites the connection's address and port. ``both`` looks up both in one map."""

    kind: Literal["snat", "dnat", "masquerade", "redirect"]
    address: Value | Mapped | None = None
    port: Value | Mapped | None = None
    both: Mapped | None = None


class Mangle(Struct, frozen=True, gc=False, tag="mangle"):
    """``key`` becomes ``key & keep ^ source & mask ^ xor``; a plain value is ``xor`` alone.

    ``source`` is another field, such as ``ct mark`` where the connection's mark is restored. Of
    ``meta pkttype`` the values are PACKET_HOST (0), _BROADCAST, _MULTICAST and _OTHERHOST (3).
    """

    key: str
    xor: int = 0
    keep: int = 0
    source: str = ""
    mask: int = 0


class Notrack(Struct, frozen=True, gc=False, tag="notrack"):
    """The packet gets no connection."""


Step = Match | Unsure | Opaque | Verdict | Choice | Nat | Mangle | Notrack


class FilterChain(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A chain. Only one with a ``hook`` sees packets by itself, in the order of ``priority``.

    ``policy`` is what its end means: for a base chain accept or drop, for any other return, but
    legacy ebtables lets those accept or drop too. ``devices`` are those that a chain of hook
    ingress or egress is attached to; None there: the listing did not say (``nft -j`` may not). A
    chain of a dormant table is shown without its hook: it sees nothing. ``whole`` is False when
    some of its rules, or its policy, were not listed.
    """

    backend: FilterBackend = "nft"
    family: FilterFamily
    table: str
    name: str
    kind: Literal["filter", "nat", "route"] = "filter"
    hook: Hook | None = None
    priority: int | None = None
    policy: Literal["accept", "drop", "return"] = "return"
    devices: tuple[str, ...] | None = None
    whole: bool = True


class FilterRule(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A rule; ``place`` is its number in its chain, from 1, and ``text`` how it was listed.

    ``packets`` is its counter, where one was shown.
    """

    backend: FilterBackend = "nft"
    family: FilterFamily
    table: str
    chain: str
    place: int
    steps: tuple[Step, ...]
    text: str = ""
    packets: int | None = None


class FilterSet(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A named set or map. Of a map, ``verdicts`` or ``values`` stand in the order of ``elements``.

    ``kind`` is the type of an ipset (``hash:ip,port``): there a ``port`` is protocol << 16 | port,
    or type << 8 | code of ICMP, but in ``bitmap:port`` the port of whichever protocol; elements of
    a ``list:set`` are names of sets. ``whole`` is False when not all of its elements were listed.
    """

    backend: FilterBackend = "nft"
    family: FilterFamily | None = None
    table: str = ""
    name: str
    kind: str = ""
    elements: tuple[Element, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    values: tuple[Element, ...] = ()
    whole: bool = True


class Connection(Row, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of the connection table (``conntrack -L``): how it began, and how replies look.

    Ports are None where the protocol has none; ICMP has its identifier in ``source_port`` and
    ``reply_target_port``. ``zone`` (ct zone) parts the table: a packet that no rule gave a zone
    looks in 0 only.
    """

    protocol: int
    source: str
    target: str
    source_port: int | None = None
    target_port: int | None = None
    reply_source: str
    reply_target: str
    reply_source_port: int | None = None
    reply_target_port: int | None = None
    state: str | None = None  # of TCP: ESTABLISHED …
    replied: bool = True
    mark: int | None = None
    zone: int = 0

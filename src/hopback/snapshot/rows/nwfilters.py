"""libvirt's nwfilters: their rules, what they refer to, and the interfaces that they are bound to.

``src/conf/nwfilter_conf.c`` has the format. Values stay text as the document has them, variables
too (``$MAC``, ``$IP[@1]``).
"""

from msgspec import Struct

from hopback.frames.mac import Mac
from hopback.snapshot.rows.base import Row

Parameters = tuple[tuple[str, str], ...]
"""Names and values; a name with several values stands several times."""


class NwItem(Struct, frozen=True):
    """An attribute of a rule's match; ``negated`` by ``match='no'``."""

    name: str
    value: str
    negated: bool = False


class NwFilter(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A filter. ``chain`` and ``priority`` (None: that of the chain's kind) tell where it is put.

    ``whole`` is False when its rules were not all listed; a list of names shows none.
    """

    name: str
    chain: str = "root"
    priority: int | None = None
    whole: bool = True


class NwRule(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A rule. ``place`` is its number among the rules and references of its filter, from 1.

    ``direction`` is as the guest sees it: in is towards it. ``protocol`` is the element that says
    what matches (``mac``, ``ip``, ``tcp-ipv6`` …), "" for none. ``stateful`` is False under
    ``statematch='false'``.
    """

    filter: str
    place: int
    action: str  # accept, drop, reject, return, continue
    direction: str  # in, out, inout
    priority: int | None = None
    stateful: bool = True
    protocol: str = ""
    items: tuple[NwItem, ...] = ()


class NwReference(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A filter's reference to another, ``target``, with parameters."""

    filter: str
    place: int
    target: str
    parameters: Parameters = ()


class NwBinding(Row, frozen=True, kw_only=True, omit_defaults=True):
    """An interface that a filter is bound to (``virsh nwfilter-binding-dumpxml``).

    ``parameters`` is None where only names were listed.
    """

    device: str
    filter: str
    guest: str | None = None
    mac: Mac | None = None
    parameters: Parameters | None = None

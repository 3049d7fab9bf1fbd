"""The connections that were listed (``conntrack -L``), as the model keeps them."""

from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType

from hopback.datapath.skb import BOTH, Connection, Tuple
from hopback.network.facts import Ref
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Connection as Row


def connections_of(snapshot: Snapshot, netns: str) -> Mapping[Tuple, Connection]:
    """The connections of a namespace by the tuples of both their directions.

    Only those of zone 0, where packets look that no rule gave another.
    """
    found: dict[Tuple, Connection] = {}
    for row in snapshot.connections.rows:
        if row.netns == netns and not row.zone:
            connection = _connection(row, Ref(snapshot.host, row.cite))
            found[connection.original] = found[connection.reply] = connection
    return MappingProxyType(found)


def _connection(row: Row, ref: Ref) -> Connection:
    """One row; it has been through NAT, if there is any."""
    original = Tuple(
        row.protocol,
        ip_address(row.source),
        ip_address(row.target),
        row.source_port or 0,
        row.target_port or 0,
    )
    reply = Tuple(
        row.protocol,
        ip_address(row.reply_source),
        ip_address(row.reply_target),
        row.reply_source_port or 0,
        row.reply_target_port or 0,
    )
    return Connection(original, reply, row.replied, row.mark or 0, BOTH, refs=(ref,))

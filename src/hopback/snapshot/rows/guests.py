"""Guests, and the packet filters in their way."""

from hopback.frames.mac import Mac
from hopback.snapshot.rows.base import Row
from hopback.snapshot.rows.nwfilters import Parameters


class Guest(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A libvirt domain (``virsh list``)."""

    name: str
    state: str | None = None


class GuestNic(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A guest's interface (``virsh dumpxml``, ``virsh domiflist``).

    ``source`` is the bridge (or libvirt network) it is plugged into, or the device below a macvtap
    (``direct``), whose mode is ``source_mode``; ``target`` the tap on the host; ``filter`` the
    nwfilter it refers to ("" when the whole definition shows none), with ``parameters``.
    """

    guest: str | None = None
    mac: Mac | None = None
    target: str | None = None
    source: str | None = None
    source_kind: str | None = None  # bridge, network, direct …
    source_mode: str | None = None  # private, vepa, bridge, passthrough
    model: str | None = None
    filter: str | None = None
    parameters: Parameters | None = None


class PacketFilter(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A packet filter that was seen but is not evaluated.

    ``family`` is bridge, ip, ip6, inet, arp or netdev. ``devices`` are those a base chain's rules
    select by name; None when some rule or a policy other than accept may hit any device.
    """

    family: str
    name: str
    devices: tuple[str, ...] | None = None

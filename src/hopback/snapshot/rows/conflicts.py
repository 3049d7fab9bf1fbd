"""Who uses which address and identity: what was asked, answered, leased, and complained of."""

from typing import Literal

from hopback.frames.mac import Mac
from hopback.snapshot.rows.base import Row


class DadEvent(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Duplicate detection of ``address`` on ``dev`` failed (IPv6 DAD, IPv4 ACD).

    The kernel's message (addrconf.c, ndisc.c), or that of a program that configures addresses.
    ``disabled``: the kernel turned IPv6 off there, as accept_dad=2 asks for.
    """

    dev: str
    address: str | None = None
    used_by: Mac | None = None
    disabled: bool | None = None
    at: int | None = None  # ns, since boot or the epoch: only differences mean anything


MessageKind = Literal["ns", "na", "arp-request", "arp-reply"]


class NeighbourMessage(Row, frozen=True, kw_only=True, omit_defaults=True):
    """An ND or ARP message about ``address``: captured, logged by the kernel, or told by arping.

    ``mac`` is the Ethernet source, or the link-layer address inside where only that is shown;
    ``sender`` the IP address that it came from (:: and 0.0.0.0 for a probe). ``nonce`` is RFC
    3971's option, in hex, by which a station knows its own solicitation (RFC 7527).
    """

    kind: MessageKind
    address: str
    mac: Mac | None = None
    sender: str | None = None
    dev: str | None = None
    direction: Literal["in", "out"] | None = None
    nonce: str | None = None
    at: int | None = None  # ns: only differences mean anything


class DhcpMessage(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A DHCPv4 message that tcpdump printed.

    ``kind`` is its option 53 (Offer, ACK …), shown with -v. ``checksum_ok`` is None where tcpdump
    did not check, or the sender had sent none.
    """

    reply: bool
    source: str | None = None
    source_mac: Mac | None = None
    xid: int | None = None
    kind: str | None = None
    checksum_ok: bool | None = None
    dev: str | None = None
    direction: Literal["in", "out"] | None = None


class BadChecksums(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A DHCP program's complaint that of ``seen`` packets ``bad`` had a wrong UDP checksum."""

    bad: int
    seen: int


class Lease(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A DHCP server's lease. ``client_id`` is what the client calls itself (client-id, DUID)."""

    address: str
    mac: Mac | None = None
    client_id: str | None = None
    hostname: str | None = None


class Sandbox(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A pod sandbox of a container runtime (``crictl pods``)."""

    name: str
    id: str
    namespace: str | None = None
    ready: bool


HairpinModeName = Literal["none", "hairpin-veth", "promiscuous-bridge"]


class HairpinMode(Row, frozen=True, kw_only=True, omit_defaults=True):
    """What kubelet means to do so that pods reach themselves through a Service.

    ``hairpin-veth``: hairpin on at the port of each pod, on docker0 or kubenet's cbr0.
    """

    mode: HairpinModeName


class UnnamedPort(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Hairpin of one of the ports that a glob of sysfs means: which one is not told."""

    bridge: str | None = None
    hairpin: bool


class HairpinAdvice(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A command that sets hairpin on a port, written in a text: nobody shows that it was run."""

    name: str
    bridge: str | None = None

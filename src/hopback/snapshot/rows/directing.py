"""IPVS: what a director forwards to whom; VRRP: who is to hold which address.

``family`` is that of the service; a mark of the firewall may stand for either. Where a listing was
made without ``-n``, names stand where addresses do.
"""

from typing import Literal

from hopback.snapshot.rows.base import Row

IpvsProtocol = Literal["tcp", "udp", "sctp", "fwmark"]
IpvsMethod = Literal["route", "tunnel", "masq", "local", "bypass"]
VrrpState = Literal["master", "backup", "fault"]


class _OfService(Row, frozen=True, kw_only=True, omit_defaults=True):
    """The service that a row is about: by address and port, or by ``mark`` (then ``fwmark``)."""

    protocol: IpvsProtocol
    family: Literal[4, 6] = 4
    address: str = ""
    port: int = 0  # 0: all ports
    mark: int = 0


class IpvsService(_OfService, frozen=True, kw_only=True, omit_defaults=True):
    """A virtual service (``ipvsadm -Sn``, /proc/net/ip_vs).

    ``persistent`` is how long a client keeps its server, in seconds; 0 where it does not. The flag
    "persistent" stands for a time in ticks of unknown length (/proc/net/ip_vs).
    ``configured``: so says keepalived's configuration, and not the kernel's table.
    """

    scheduler: str | None = None
    persistent: int | None = None
    netmask: str | None = None  # how much of a client's address persistence looks at
    flags: tuple[str, ...] = ()  # ops, persistent, sh-port, sh-fallback, mh-port …
    configured: bool = False


class IpvsServer(_OfService, frozen=True, kw_only=True, omit_defaults=True):
    """A real server (destination) of the service. ``tunnel`` is the kind: ipip, gue or gre.

    Up to 2.6.36 a server that is an address of the director's own is kept as "local", whatever
    method it was entered with (``__ip_vs_update_dest``); ``ipvsadm -S`` then prints ``-g``.
    ``sorry``: keepalived enters it when no other server of the service is alive.
    """

    server: str
    server_port: int = 0
    method: IpvsMethod
    weight: int | None = None
    tunnel: str | None = None
    tunnel_port: int | None = None
    active: int | None = None
    inactive: int | None = None
    upper: int | None = None  # with so many connections it gets no new ones; 0: no such limit
    sorry: bool = False
    configured: bool = False


class IpvsConnection(Row, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of the connection table (``ipvsadm -Lnc``, /proc/net/ip_vs_conn).

    A template of persistence has the client port 0 (and perhaps a masked client).
    """

    protocol: str  # tcp, udp, sctp, ip (templates of marks)
    client: str
    client_port: int
    virtual: str  # of a mark: its number as an address
    virtual_port: int
    server: str
    server_port: int
    state: str = ""
    expires: int | None = None  # ns


class IpvsCount(_OfService, frozen=True, kw_only=True, omit_defaults=True):
    """Counters of a service, or of one ``server`` of it (``ipvsadm -Ln --stats``)."""

    server: str = ""
    server_port: int = 0
    connections: int
    packets_in: int
    packets_out: int


class IpvsDaemon(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A running synchronisation thread (``ipvsadm -L --daemon``)."""

    state: Literal["master", "backup"]
    dev: str
    sync_id: int = 0


class VrrpInstance(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A VRRP instance as keepalived is configured. ``state`` is the one it begins with.

    The instances of a ``group`` change their states together. ``notify`` are programs that
    keepalived then runs: what they change is not told.
    """

    name: str
    dev: str
    router_id: int
    priority: int = 100
    state: VrrpState = "backup"
    addresses: tuple[str, ...] = ()
    nopreempt: bool = False
    group: str = ""
    notify: tuple[str, ...] = ()


class VrrpEvent(Row, frozen=True, kw_only=True, omit_defaults=True):
    """keepalived says that an instance has entered a state, or what it hears in it.

    ``heard``: another one says at that moment that it is master; its address, "" where the message
    does not name it.
    """

    name: str
    state: VrrpState
    heard: str | None = None
    at: int | None = None


class KernelCounter(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A counter of the network stack by its name in ``nstat`` (IcmpOutTimeExcds, Ip6InNoRoutes).

    IpvsConns, IpvsInPkts and IpvsOutPkts are those of /proc/net/ip_vs_stats.
    """

    name: str
    value: int


class CpuShare(Row, frozen=True, kw_only=True, omit_defaults=True):
    """How much of a processor's time went into ``kind`` (softirq, system …), in percent."""

    cpu: str  # "all" or a number
    kind: str
    percent: float

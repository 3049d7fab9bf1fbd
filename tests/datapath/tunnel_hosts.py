"""Two hosts on one segment, in text, with what tunnels and routes a test gives them."""

from ipaddress import IPv4Address, IPv6Address

from hopback.datapath.effects import Place
from hopback.datapath.model import Model
from hopback.engines.trace import Trace, trace
from hopback.frames import ethernet
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import ZERO
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp
from hopback.network.facts import DevId

_HEAD = "mtu 1480 qdisc noqueue state UNKNOWN mode DEFAULT group default"
_ENDS = {"left": ("02:00:00:00:00:01", 1), "right": ("02:00:00:00:00:02", 2)}


def tunnel(index: int, name: str, link: str, details: str) -> str:
    """A tunnel as ``ip -d link`` shows it."""
    return (
        f"{index}: {name}@NONE: <POINTOPOINT,NOARP,UP,LOWER_UP> {_HEAD}\n"
        f"    link/{link} 0.0.0.0 brd 0.0.0.0\n    {details}\n"
    )


def ipip(index: int, name: str, local: str, remote: str, more: str = "ttl inherit") -> str:
    """An ipip device."""
    return tunnel(index, name, "ipip", f"ipip any remote {remote} local {local} {more} pmtudisc")


def host(
    name: str, tunnels: str, routes: str, more: str = "", release: str = "6.1.0-18-amd64"
) -> str:
    """``left`` is 192.0.2.1 and 2001:db8::1 on eth0, ``right`` 192.0.2.2 and 2001:db8::2."""
    mac, number = _ENDS[name]
    return f"""
root@{name}:~# uname -r
{release}
root@{name}:~# ip -d link show
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT
    link/ether {mac} brd ff:ff:ff:ff:ff:ff
{tunnels}
root@{name}:~# ip addr show
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether {mac} brd ff:ff:ff:ff:ff:ff
    inet 192.0.2.{number}/24 scope global eth0
    inet6 2001:db8::{number}/64 scope global nodad
root@{name}:~# ip route show table all
192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.{number}
2001:db8::/64 dev eth0 proto kernel metric 256
local 192.0.2.{number} dev eth0 table local proto kernel scope host src 192.0.2.{number}
{routes}
root@{name}:~# sysctl -a
net.ipv4.ip_forward = 1
net.ipv4.conf.all.rp_filter = 0
net.ipv4.conf.eth0.rp_filter = 0
net.ipv6.conf.all.forwarding = 1
{more}
"""


def packet(target: str, source: str = "203.0.113.7", ttl: int = 64, size: int = 8) -> Frame:
    """A packet as a tunnel gets it: without MACs."""
    datagram = Udp(5000, 5000, Raw(bytes(size)))
    if ":" in target:
        source = source if ":" in source else "2001:db8:77::7"
        ends6 = IPv6Address(source), IPv6Address(target)
        return Frame(ZERO, ZERO, (), ethernet.IPV6, Ipv6(*ends6, 17, datagram, ttl))
    ends4 = IPv4Address(source), IPv4Address(target)
    return Frame(ZERO, ZERO, (), ethernet.IPV4, Ipv4(*ends4, 17, datagram, ttl))


def sent_by(model: Model, dev: str, frame: Frame, host: str = "left") -> Trace:
    """What becomes of ``frame`` that leaves by the device, in the world of default answers."""
    return trace(model, Place(DevId(host, "", dev), "out"), frame)[0]


def steps(found: Trace) -> list[str]:
    """The places and rules of the one way that the packet takes, and how it ends."""
    way = found.path(found.ends[0].hop)
    told = [f"{h.place.dev.host} {h.place.dev.name} {h.place.way}" for h in way]
    return [*told, f"{found.ends[0].fate} {found.ends[0].why.rule}"]

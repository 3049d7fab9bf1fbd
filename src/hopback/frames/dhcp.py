"""DHCPv4 messages (RFC 2131, options RFC 2132).

Options stay ``(code, bytes)`` in wire order; properties read the ones that matter here. With
overload (option 52) more options stand in ``file`` and ``sname``, which are kept as they are.
"""

import struct
from ipaddress import IPv4Address

from msgspec import Struct

from hopback.frames.mac import Mac, mac_from_bytes
from hopback.frames.raw import Malformed, Raw, Rest, cut, rest

SERVER_PORT = 67
CLIENT_PORT = 68

BOOT_REQUEST = 1
BOOT_REPLY = 2
BROADCAST_FLAG = 0x8000

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
MESSAGE_NAMES = dict(
    enumerate(("DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM"), 1)
)

PAD = 0
REQUESTED_IP = 50
LEASE_TIME = 51
MESSAGE_TYPE = 53
SERVER_ID = 54
CLIENT_ID = 61
END = 255

_COOKIE = bytes((99, 130, 83, 99))
_BOOTP = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")
_HEADER_SIZE = _BOOTP.size + len(_COOKIE)
_ANY = IPv4Address(0)


class DhcpOption(Struct, frozen=True, gc=False):
    """One option; PAD and END are a single byte on the wire and have no data."""

    code: int
    data: bytes = b""


class Dhcp(Struct, frozen=True, gc=False, kw_only=True):
    """A message. ``tail`` is what follows END, or the options that could not be read."""

    op: int
    xid: int
    chaddr: bytes  # 16 bytes
    htype: int = 1
    hlen: int = 6
    hops: int = 0
    secs: int = 0
    flags: int = 0
    ciaddr: IPv4Address = _ANY
    yiaddr: IPv4Address = _ANY
    siaddr: IPv4Address = _ANY
    giaddr: IPv4Address = _ANY
    sname: bytes = bytes(64)
    file: bytes = bytes(128)
    options: tuple[DhcpOption, ...] = ()
    tail: Rest = Raw()

    def option(self, code: int) -> bytes | None:
        """The option's data, long ones put together again (RFC 3396); None if it is not there."""
        parts = [option.data for option in self.options if option.code == code]
        return b"".join(parts) if parts else None

    @property
    def message_type(self) -> int | None:
        """DISCOVER, OFFER …; None for plain BOOTP."""
        data = self.option(MESSAGE_TYPE)
        return data[0] if data is not None and len(data) == 1 else None

    @property
    def requested_ip(self) -> IPv4Address | None:
        """The address a client asks for."""
        return self._address(REQUESTED_IP)

    @property
    def server_id(self) -> IPv4Address | None:
        """The server that offers, or is chosen."""
        return self._address(SERVER_ID)

    @property
    def client_id(self) -> bytes | None:
        """The client identifier, its type byte first."""
        return self.option(CLIENT_ID)

    @property
    def lease_time(self) -> int | None:
        """Seconds."""
        data = self.option(LEASE_TIME)
        return int.from_bytes(data, "big") if data is not None and len(data) == 4 else None

    @property
    def client_mac(self) -> Mac | None:
        """The client's hardware address, when it is an Ethernet one."""
        return mac_from_bytes(self.chaddr[:6]) if (self.htype, self.hlen) == (1, 6) else None

    def _address(self, code: int) -> IPv4Address | None:
        data = self.option(code)
        return IPv4Address(data) if data is not None and len(data) == 4 else None


def decode(raw: bytes, missing: int) -> Dhcp | Malformed:
    """The message in ``raw``, at whose end ``missing`` bytes were not captured."""
    if len(raw) < _HEADER_SIZE:
        return cut("dhcp", raw, _HEADER_SIZE)
    if raw[_BOOTP.size : _HEADER_SIZE] != _COOKIE:
        return Malformed("dhcp: no magic cookie", raw)
    op, htype, hlen, hops, xid, secs, flags, *rows = _BOOTP.unpack_from(raw)
    ciaddr, yiaddr, siaddr, giaddr, chaddr, sname, file = rows
    options, tail = _decode_options(raw[_HEADER_SIZE:], missing)
    return Dhcp(
        op=op,
        xid=xid,
        chaddr=chaddr,
        htype=htype,
        hlen=hlen,
        hops=hops,
        secs=secs,
        flags=flags,
        ciaddr=IPv4Address(ciaddr),
        yiaddr=IPv4Address(yiaddr),
        siaddr=IPv4Address(siaddr),
        giaddr=IPv4Address(giaddr),
        sname=sname,
        file=file,
        options=options,
        tail=tail,
    )


def _decode_options(raw: bytes, missing: int) -> tuple[tuple[DhcpOption, ...], Rest]:
    found: list[DhcpOption] = []
    at = 0
    while at < len(raw):
        code = raw[at]
        if code == END:
            found.append(DhcpOption(END))
            return tuple(found), rest("dhcp padding", raw[at + 1 :], missing)
        if code == PAD:
            found.append(DhcpOption(PAD))
            at += 1
            continue
        size = 2 + (raw[at + 1] if at + 1 < len(raw) else 0)
        if at + size > len(raw):
            return tuple(found), cut(f"dhcp option {code}", raw[at:], size)
        found.append(DhcpOption(code, raw[at + 2 : at + size]))
        at += size
    return tuple(found), rest("dhcp options", b"", missing)


def encode(dhcp: Dhcp) -> bytes:
    """The message; nothing in it is computed."""
    header = _BOOTP.pack(
        dhcp.op,
        dhcp.htype,
        dhcp.hlen,
        dhcp.hops,
        dhcp.xid,
        dhcp.secs,
        dhcp.flags,
        dhcp.ciaddr.packed,
        dhcp.yiaddr.packed,
        dhcp.siaddr.packed,
        dhcp.giaddr.packed,
        dhcp.chaddr,
        dhcp.sname,
        dhcp.file,
    )
    return header + _COOKIE + b"".join(map(_encode_option, dhcp.options)) + dhcp.tail.raw


def _encode_option(option: DhcpOption) -> bytes:
    if option.code in (PAD, END):
        return bytes((option.code,))
    return bytes((option.code, len(option.data))) + option.data

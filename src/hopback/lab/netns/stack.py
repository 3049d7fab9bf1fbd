"""What the stacks in the lab's namespaces say by themselves, and how to make one ping."""

import socket
from ipaddress import IPv6Address
from typing import NamedTuple

from hopback.frames.codec import decode
from hopback.frames.icmp import ECHO_REPLY, ECHO_REQUEST, Icmp
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.nd import Ns
from hopback.frames.raw import Raw
from hopback.lab.netns.namespace import Namespace
from hopback.lab.steps import Ping, Refused

ECHO_HEADER = 8
"""Bytes of ICMP in front of what an echo carries."""

_SIZE = 1 << 16


class Echo(NamedTuple):
    """A ping or its answer, told from others by what it carries."""

    reply: bool
    body: bytes


def said(frame: bytes) -> IPv6Address | Echo | None:
    """What an untagged frame says: the address that duplicate detection asks for, or an echo."""
    packet = decode(frame).payload
    if isinstance(packet, Ipv6):
        message = packet.payload
        return message.target if isinstance(message, Ns) and packet.src.is_unspecified else None
    if isinstance(packet, Ipv4) and isinstance(packet.payload, Icmp):
        return _echo(packet.payload)
    return None


def _echo(message: Icmp) -> Echo | None:
    if message.kind not in (ECHO_REQUEST, ECHO_REPLY) or not isinstance(message.body, Raw):
        return None
    return Echo(message.kind == ECHO_REPLY, message.body.raw)


class Pinger:
    """A socket that has sent a ping, and waits for its answer."""

    def __init__(self, space: Namespace, ping: Ping) -> None:
        self._body = ping.packet[ECHO_HEADER:]
        with space:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._socket.setblocking(False)
        try:
            self._socket.sendto(ping.packet, (ping.target, 0))
        except OSError as error:
            self._socket.close()
            raise Refused(f"the ping of {ping.target}: {error.strerror}") from error

    def answered_by(self) -> str | None:
        """Who has answered it so far."""
        while True:
            try:
                packet, (address, _) = self._socket.recvfrom(_SIZE)
            except BlockingIOError:
                return None
            header = (packet[0] & 0x0F) * 4
            message = packet[header:]
            if message[:1] == bytes([ECHO_REPLY]) and message[ECHO_HEADER:] == self._body:
                return str(address)

    def close(self) -> None:
        self._socket.close()

"""A DHCP client and its server in virtual time (RFC 2131 3.1, 4.1)."""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hopback.engines.dhcp import Message
from hopback.frames import dhcp
from hopback.frames.dhcp import Dhcp
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.mac import Mac, mac_from_bytes
from hopback.frames.udp import Udp

SECOND = 1_000_000_000
JITTER = SECOND
"""A repetition comes up to so much earlier or later, in ns (RFC 2131 4.1)."""

_FIRST_WAIT, _LONGEST_WAIT = 4 * SECOND, 64 * SECOND
_REQUESTS_MAX = 4

_NAMED: dict[int, Message] = {
    dhcp.DISCOVER: "DISCOVER",
    dhcp.OFFER: "OFFER",
    dhcp.REQUEST: "REQUEST",
    dhcp.ACK: "ACK",
}
ANSWERS: dict[Message, Message] = {"DISCOVER": "OFFER", "REQUEST": "ACK"}

State = Literal["selecting", "requesting", "bound"]


class Client(Struct, frozen=True):
    """A client. ``round`` numbers what it waits for: an old timer finds another number."""

    mac: Mac
    state: State = "selecting"
    wait: int = _FIRST_WAIT
    tries: int = 0
    round: int = 0

    @property
    def asks(self) -> Message:
        """What it says now, and again until it is answered."""
        return "DISCOVER" if self.state == "selecting" else "REQUEST"


def again(client: Client) -> Client:
    """Nobody answered in time: the client asks again, later each time, and at last anew."""
    longer = min(2 * client.wait, _LONGEST_WAIT)
    if client.state == "requesting" and client.tries >= _REQUESTS_MAX:
        return Client(client.mac, round=client.round + 1)
    return replace(client, wait=longer, tries=client.tries + 1, round=client.round + 1)


def heard(client: Client, message: Message) -> Client | None:
    """The client after a message of the server's; None if it was not waiting for that one."""
    if client.state == "bound" or ANSWERS[client.asks] != message:
        return None
    state: State = "requesting" if client.state == "selecting" else "bound"
    return Client(client.mac, state, round=client.round + 1)


def message_in(frame: Frame) -> tuple[Message, Mac] | None:
    """The DHCP message in a frame and the client it is about; None if it is something else."""
    packet = frame.payload
    if not isinstance(packet, Ipv4) or not isinstance(packet.payload, Udp):
        return None
    message = packet.payload.payload
    name = _NAMED.get(message.message_type or 0) if isinstance(message, Dhcp) else None
    if not isinstance(message, Dhcp) or name is None:
        return None
    return name, mac_from_bytes(message.chaddr[:6])

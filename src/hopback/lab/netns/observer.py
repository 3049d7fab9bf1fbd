"""What passes a device, as an AF_PACKET socket sees it."""

import socket
import struct
from enum import IntEnum
from typing import NamedTuple

from hopback.lab.netns.namespace import Namespace

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_IGNORE_OUTGOING = 23
PACKET_STATISTICS = 6
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35  # include/uapi/asm-generic/socket.h, SO_TIMESTAMPNS_OLD
TP_STATUS_VLAN_VALID = 1 << 4

_AUXDATA = struct.Struct("IIIHHHH")  # struct tpacket_auxdata
_TIMESPEC = struct.Struct("qq")
_STATISTICS = struct.Struct("II")  # struct tpacket_stats: packets, drops
_FRAME_MAX = 1 << 16


class PacketType(IntEnum):
    """``PACKET_*`` of include/uapi/linux/if_packet.h: what the device thought of the frame."""

    HOST = 0
    BROADCAST = 1
    MULTICAST = 2
    OTHERHOST = 3
    OUTGOING = 4


class Seen(NamedTuple):
    type: PacketType
    frame: bytes


class Stamped(NamedTuple):
    """A frame with the time it was seen at (ns since 1970) and the device."""

    at: int
    device: str
    seen: Seen


class Observer:
    """Collects the frames of one device (or of all, if it is "") from the moment it is made.

    The socket's buffer bounds what is kept: in a storm the later frames are lost, not the memory.
    With an EtherType as ``protocol`` a bridge port shows only what the bridge has left to it.
    """

    def __init__(
        self, space: Namespace, device: str, outgoing: bool = True, protocol: int = ETH_P_ALL
    ) -> None:
        with space:
            # Protocol 0 hears nothing until it is bound: else it would hear every other device.
            heard = 0 if device else socket.htons(protocol)
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, heard)
            self._socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, int(not outgoing))
            if device:
                self._socket.bind((device, protocol))
        self._socket.setblocking(False)

    def take(self) -> list[Seen]:
        """The frames since the last call, in order."""
        return [stamped.seen for stamped in self.take_stamped()]

    def take_stamped(self, most: int | None = None) -> list[Stamped]:
        """The same with times and devices, no more than ``most`` of them."""
        taken: list[Stamped] = []
        while most is None or len(taken) < most:
            try:
                frame, extra, _, address = self._socket.recvmsg(_FRAME_MAX, 128)
            except BlockingIOError:
                break
            seen = Seen(PacketType(address[2]), _with_tag(frame, extra))
            taken.append(Stamped(_stamp(extra), address[0], seen))
        return taken

    def dropped(self) -> int:
        """How many frames the kernel had no room for since the last call."""
        told = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, _STATISTICS.size)
        return int(_STATISTICS.unpack(told)[1])

    def enlarge(self, size: int) -> None:
        """Ask for a receive buffer of ``size`` bytes, past the system's limit if we may."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, size)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)

    def fileno(self) -> int:
        """For ``select``."""
        return self._socket.fileno()

    def send(self, frame: bytes) -> None:
        """Transmit ``frame`` from the device, as its own host would."""
        self._socket.send(frame)

    def close(self) -> None:
        self._socket.close()


def _stamp(extra: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in extra:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
            return int(seconds * 1_000_000_000 + nanoseconds)
    return 0


def _with_tag(frame: bytes, extra: list[tuple[int, int, bytes]]) -> bytes:
    """The frame as it was on the wire: the kernel hands its VLAN tag over beside it."""
    for level, kind, data in extra:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tci, tpid = _AUXDATA.unpack(data[: _AUXDATA.size])
            if status & TP_STATUS_VLAN_VALID:
                return frame[:12] + struct.pack("!HH", tpid or 0x8100, tci) + frame[12:]
    return frame

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


class Observer:
    """Collects the frames of one device from the moment it is made.

    The socket's buffer bounds what is kept: in a storm the later frames are lost, not the memory.
    """

    def __init__(self, space: Namespace, device: str, outgoing: bool = True) -> None:
        with space:
            # Protocol 0 hears nothing until it is bound: else it would hear every other device.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, int(not outgoing))
            self._socket.bind((device, ETH_P_ALL))
        self._socket.setblocking(False)

    def take(self) -> list[Seen]:
        """The frames since the last call, in order."""
        return [seen for _, seen in self.take_stamped()]

    def take_stamped(self, most: int | None = None) -> list[tuple[int, Seen]]:
        """The frames since the last call, each with its time (ns since 1970); ``most`` at once."""
        taken: list[tuple[int, Seen]] = []
        while most is None or len(taken) < most:
            try:
                frame, extra, _, address = self._socket.recvmsg(_FRAME_MAX, 128)
            except BlockingIOError:
                break
            seen = Seen(PacketType(address[2]), _with_tag(frame, extra))
            taken.append((_stamp(extra), seen))
        return taken

    def dropped(self) -> int:
        """How many frames the kernel had no room for since the last call."""
        told = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, _STATISTICS.size)
        return int(_STATISTICS.unpack(told)[1])

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

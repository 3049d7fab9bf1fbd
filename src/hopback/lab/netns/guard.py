"""The process that cuts the links of a lab, whatever becomes of the lab.

usage: python -m hopback.lab.netns.guard SECONDS DESCRIPTOR ...

Waits until its standard input ends - the lab is over, or its process died - or SECONDS have passed,
then takes down every device of the namespaces behind the descriptors: nothing circulates without a
link. A namespace itself lives on, and with it a storm, as long as anyone holds a socket in it.
"""

import fcntl
import select
import socket
import struct
import sys

from hopback.lab.netns.namespace import Namespace

SIOCSIFFLAGS = 0x8914
_IFREQ = struct.Struct("16sH22x")


def cut(space: Namespace) -> None:
    """Take down every device of ``space``."""
    with space, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for _, name in socket.if_nameindex():
            try:
                fcntl.ioctl(control, SIOCSIFFLAGS, _IFREQ.pack(name.encode(), 0))
            except OSError:
                continue  # its other end took it along


def main(seconds: float, descriptors: list[int]) -> None:
    """Wait, and cut."""
    select.select([sys.stdin], [], [], seconds)
    for descriptor in descriptors:
        cut(Namespace(descriptor))
    sys.stdin.read()


if __name__ == "__main__":
    main(float(sys.argv[1]), [int(word) for word in sys.argv[2:]])

"""Devices whose frames a tc filter handles: RTM_GETQDISC, then RTM_GETTFILTER where one can be.

Filters of a ``clsact`` or ``ingress`` qdisc may drop, rewrite or redirect a frame (also back out of
the device it came in by), so such a device is a blind spot. Asking for them loads no module: only
creating a qdisc or a filter does.
"""

import errno
import struct

from hopback.snapshot.rows import Blind
from hopback.sources.live.netlink import Netlink, attributes, text
from hopback.sources.live.reading import Reading

_RTM_GETQDISC, _RTM_GETTFILTER = 38, 46
_TCMSG = struct.Struct("=BxxxiIII")  # family, ifindex, handle, parent, info
_TCA_KIND = 1
_INGRESS, _EGRESS = 0xFFFF_FFF2, 0xFFFF_FFF3  # TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_*)
_HOOKS = {
    "clsact": ((_INGRESS, "ingress"), (_EGRESS, "egress")),
    "ingress": ((0xFFFF_0000, "ingress"),),
}


def read(reading: Reading, link: Netlink) -> None:
    """Add a row for every hook with filters."""
    name = "RTM_GETQDISC (tc qdisc show; tc filter show dev DEV ingress)"
    try:
        origin, found = reading.dump(link, name, _RTM_GETQDISC, _TCMSG.pack(0, 0, 0, 0, 0))
        for line, message in enumerate(found.messages, 1):
            kind = text(attributes(message, _TCMSG.size).get(_TCA_KIND, b""))
            index = _TCMSG.unpack_from(message)[1]
            for parent, hook in _HOOKS.get(kind, ()):
                if _has_filter(link, index, parent):
                    dev = reading.names[index]
                    what = f"tc filter on {hook}"
                    row = Blind(cite=origin.cite(line), netns=origin.netns, dev=dev, what=what)
                    reading.builder.add((row,))
    except OSError as error:
        reading.refuse(Blind, name, error)


def _has_filter(link: Netlink, index: int, parent: int) -> bool:
    try:
        return bool(link.dump(_RTM_GETTFILTER, _TCMSG.pack(0, index, 0, parent, 0)).messages)
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.EINVAL, errno.ENOENT):  # gone since the qdisc dump
            return False
        raise

"""Devices whose frames a tc filter or a BPF program at the same place handles.

Filters of a ``clsact`` or ``ingress`` qdisc, and programs at the tcx hooks, may drop, rewrite or
redirect a frame (also back out of the device it came in by): such a device is a blind spot. Asking
loads no module; only creating a qdisc or a filter does.
"""

import errno
import struct
from collections.abc import Iterator

from hopback.snapshot.rows import Blind
from hopback.sources.live import bpf
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
_QDISC = "RTM_GETQDISC (tc qdisc show; tc filter show dev DEV ingress)"
_TCX = "BPF_PROG_QUERY (bpftool net show)"


def read(reading: Reading, link: Netlink) -> None:
    """Add a row for every hook in use; the table is whole if both kinds could be asked for."""
    asked = reading.open("tc qdisc show; bpftool net show")
    whole = reading.devices_whole
    for name, rows in ((_QDISC, _filtered(reading, link)), (_TCX, _programmed(reading))):
        try:
            reading.builder.add(rows)
        except OSError as error:
            reading.refuse(Blind, name, error)
            whole = False
    reading.builder.add((), fills=(Blind,), extent=reading.extent(asked, whole))


def _filtered(reading: Reading, link: Netlink) -> Iterator[Blind]:
    origin, found = reading.dump(link, _QDISC, _RTM_GETQDISC, _TCMSG.pack(0, 0, 0, 0, 0))
    for line, message in enumerate(found.messages, 1):
        kind = text(attributes(message, _TCMSG.size).get(_TCA_KIND, b""))
        index = _TCMSG.unpack_from(message)[1]
        for parent, hook in _HOOKS.get(kind, ()):
            if _has_filter(link, index, parent):
                dev, what = reading.names[index], f"tc filter on {hook}"
                yield Blind(cite=origin.cite(line), netns=origin.netns, dev=dev, what=what)


def _has_filter(link: Netlink, index: int, parent: int) -> bool:
    try:
        return bool(link.dump(_RTM_GETTFILTER, _TCMSG.pack(0, index, 0, parent, 0)).messages)
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.EINVAL, errno.ENOENT):  # gone since the qdisc dump
            return False
        raise


def _programmed(reading: Reading) -> Iterator[Blind]:
    origin = reading.open(_TCX)
    for line, (index, dev) in enumerate(reading.names.items(), 1):
        for hook in bpf.hooks_in_use(index):
            what = f"BPF program (tcx) on {hook}"
            yield Blind(cite=origin.cite(line), netns=origin.netns, dev=dev, what=what)

"""port_filter_nwfilter: port_filter as a filter of libvirt's, which lasts as long as the guest.

A tap has another name at every start of its guest, so that rules by name do not last; libvirt makes
these anew for each (src/nwfilter/nwfilter_ebiptables_driver.c). They stand in POSTROUTING, where
the port a frame came in by is not known: what a clone of the MAC broadcasts is dropped as well.
"""

from functools import partial
from html import escape
from shlex import quote

from hopback.findings import Fix, FixFile
from hopback.frames.mac import format_mac
from hopback.remedies.cut import Cut, rows
from hopback.remedies.remedy import Remedy
from hopback.remedies.target import Target
from hopback.snapshot.rows import GuestNic

NAME = "port_filter_nwfilter"
CUT = Cut("postrouting", entering=False, leaving=True)
FILTER = "hopback-no-reflection"

# Not the group bit alone: libvirt takes masks of leading ones only (tried with
# 9.0; src/conf/nwfilter_conf.c). Broadcast, the groups of
# IPv4, of link-local protocols and of IPv6 are all that stations send to.
_GROUPS = (
    "dstmacaddr='ff:ff:ff:ff:ff:ff'",
    "dstmacaddr='01:00:00:00:00:00' dstmacmask='ff:00:00:00:00:00'",
    "dstmacaddr='33:33:00:00:00:00' dstmacmask='ff:ff:00:00:00:00'",
)
_RULE = """\
  <rule action='drop' direction='in' priority='350'>
    <mac srcmacaddr='$MAC' {group}/>
  </rule>
"""
XML = (
    f"<filter name='{FILTER}' chain='mac' priority='-800'>\n"
    + "".join(_RULE.format(group=group) for group in _GROUPS)
    + "</filter>\n"
)

_SOURCES = {"bridge": "bridge", "network": "network"}
_FOLDER = "/etc/hopback"


def _plan(target: Target) -> Fix | None:
    """For a guest whose whole definition is known, and shows no other filter to be kept."""
    nic = target.nic
    if nic is None or nic.filter != "" or not nic.guest or nic.mac is None:
        return None
    if nic.source_kind not in _SOURCES or not nic.source:
        return None
    stem = f"{_FOLDER}/{target.port.name}"
    filter_ = FixFile(f"{_FOLDER}/{FILTER}.xml", XML)
    with_, without = (
        FixFile(f"{stem}-{how}.xml", _interface(nic, how == "filtered"))
        for how in ("filtered", "plain")
    )
    guest = quote(nic.guest)
    return Fix(
        name=NAME,
        host=target.host,
        commands=(
            f"virsh nwfilter-define {filter_.path}",
            f"virsh update-device {guest} {with_.path} --live",
        ),
        undo=(f"virsh update-device {guest} {without.path} --live",),
        files=(filter_, with_, without),
        limits="Broadcasts of another station with the same MAC are hidden from the guest too.",
        blast_radius=f"broadcasts and multicasts to {nic.guest} from its own MAC",
    )


def _interface(nic: GuestNic, filtered: bool) -> str:
    """What virsh dumpxml shows of the interface, as far as update-device needs it."""
    assert nic.mac is not None and nic.source is not None  # noqa: S101, PT018  (plan looked)
    kind = _SOURCES[nic.source_kind or ""]
    lines = [
        f"<interface type='{escape(kind)}'>",
        f"  <mac address='{format_mac(nic.mac)}'/>",
        f"  <source {kind}='{escape(nic.source)}'/>",
        *([f"  <target dev='{escape(nic.target)}'/>"] if nic.target else []),
        *([f"  <model type='{escape(nic.model)}'/>"] if nic.model else []),
        *([f"  <filterref filter='{FILTER}'/>"] if filtered else []),
        "</interface>",
    ]
    return "\n".join(lines) + "\n"


REMEDY = Remedy(NAME, _plan, partial(rows, CUT), filters=True)

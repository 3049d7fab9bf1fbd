"""sticky_entry: pin a station's MAC to its own port until the cause is found.

A sticky entry (NTF_STICKY, Linux 4.20) does not move when the MAC is seen elsewhere
(net/bridge/br_fdb.c:br_fdb_update); a merely ``static`` one does. Tried on real kernels: with one
port upstream that returns frames the guest gets its lease; with a ring of two links it does not, as
the switch outside believes the wrong port too.
"""

from hopback.findings import Finding, Fix

NAME = "sticky_entry"

LIMITS = (
    "It mends this bridge only. Where a ring, not a single reflecting port, returns the frames, the"
    " switches outside have the wrong port too, and replies are lost before they get here. What"
    " returns the frames goes on returning them."
)


def plan(finding: Finding) -> Fix:
    """The remedy for a finding of fdb-misplaced; not proved yet."""
    details = finding.details
    tool = f"bridge -n {details['netns']}" if details["netns"] else "bridge"
    entry = (finding.subject, details["expected_port"], details["vlan"])
    return Fix(
        name=NAME,
        host=finding.host,
        commands=(f"{tool} {line(*entry)}",),
        undo=(f"{tool} fdb del {_entry(*entry)}",),
        afterwards=("ask for a lease again: dhclient -r && dhclient, or udhcpc",),
        limits=LIMITS,
    )


def line(mac: str, port: str, vlan: int = 0) -> str:
    """The remedy as ``bridge`` takes it: a sticky entry for ``mac`` on ``port``."""
    return f"fdb replace {_entry(mac, port, vlan)} static sticky"


def _entry(mac: str, port: str, vlan: int) -> str:
    tagged = f" vlan {vlan}" if vlan else ""
    return f"{mac} dev {port} master{tagged}"

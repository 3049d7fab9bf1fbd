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
    vlan = f" vlan {details['vlan']}" if details["vlan"] else ""
    entry = f"{finding.subject} dev {details['expected_port']} master{vlan}"
    return Fix(
        name=NAME,
        host=finding.host,
        commands=(f"{tool} fdb replace {entry} static sticky",),
        undo=(f"{tool} fdb del {entry}",),
        afterwards=("ask for a lease again: dhclient -r && dhclient, or udhcpc",),
        limits=LIMITS,
    )

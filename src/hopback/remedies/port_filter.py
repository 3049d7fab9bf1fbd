"""port_filter: drop, towards a hairpin port, the group frames of that port's own station.

Every family: DAD's solicitations come back as ND, address conflict detection's probes as ARP. The
station's MAC is matched, so that others behind the same port (VEPA) still hear it; unicasts are
left alone, so that a station still reaches itself where bridged DNAT sends its packets back.
"""

from hopback.remedies.cut import Cut, by_ebtables, by_nft

NAME = "port_filter"
EBTABLES = "port_filter_ebtables"
CUT = Cut("forward", entering=True, leaving=True)
BLAST_RADIUS = "the station's own broadcasts and multicasts on their way back to it, nothing else"

REMEDY = by_nft(NAME, CUT, BLAST_RADIUS)
IN_EBTABLES = by_ebtables(EBTABLES, CUT, BLAST_RADIUS)
"""The same for hosts that have their other rules there."""

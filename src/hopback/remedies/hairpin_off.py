"""hairpin_off: the whole cure, where nothing needs hairpin.

Two things need it: stations that share a port (VEPA), and a station that reaches itself by an
address that bridged DNAT translates back (nova's floating IP, a pod's own Service).
"""

from hopback.remedies.flags import by_flag

NAME = "hairpin_off"

REMEDY = by_flag(
    NAME,
    "hairpin",
    on=False,
    blast_radius="whatever the port sends back: NAT to the station itself, stations that share it",
)

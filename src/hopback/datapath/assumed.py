"""What no table tells and the model takes for granted: the output says so."""

from hopback.datapath.rule import RuleInfo

ASSUMED_RULES = {
    "blind": RuleInfo("", "what happens here is not in the model", "assumed"),
    "story": RuleInfo("", "assumed: what is simulated begins with it", "assumed"),
    "dhcp": RuleInfo("RFC 2131 3.1", "assumed: a client asks until it has a lease", "assumed"),
    "beyond": RuleInfo("", "what lies beyond the uplink is not in the tables", "assumed"),
    "segment": RuleInfo(
        "",
        "a given host has the destination's address, and both are in one subnet or know each"
        " other: assumed to share a segment, the frame comes in there",
        "assumed",
    ),
    "plugged": RuleInfo(
        "",
        "a given host has the address of the port's station: assumed to be that station",
        "assumed",
    ),
    "segment-unclear": RuleInfo(
        "",
        "several given devices have the destination's address: nothing tells which gets it",
        "assumed",
    ),
    "beyond-returns": RuleInfo(
        "", "assumed: the uplink's far side returns what it gets", "assumed"
    ),
    "bond-separate": RuleInfo(
        "",
        "assumed: the switch does not know that the legs are one link, and floods from one"
        " to the others",
        "assumed",
    ),
}

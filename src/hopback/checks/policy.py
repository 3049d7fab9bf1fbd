"""One table for what all checks share: group, order, and the first line of their documentation."""

from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from hopback.findings import Group

Stage = Literal["symptom", "cause", "fault"]


class Policy(Struct, frozen=True):
    """``stage``: symptoms are looked for first, so that causes can explain them."""

    group: Group
    stage: Stage
    says: str


POLICY: MappingProxyType[str, Policy] = MappingProxyType(
    {
        "fdb-misplaced": Policy(
            "symptom",
            "symptom",
            "a bridge's table has a known station's MAC on a port that is not the station's own",
        ),
        "mac-move": Policy("symptom", "symptom", "one MAC is learned on two ports in turn"),
        "own-source": Policy(
            "symptom", "symptom", "the kernel received frames with its own address as source"
        ),
        "duplicate-mac": Policy(
            "other-fault", "fault", "two real stations (or interfaces) use one MAC"
        ),
        "wiring-broken": Policy(
            "other-fault",
            "fault",
            "a guest's tap is not enslaved, a port is down, the uplink is missing from the bridge",
        ),
        "lag-mismatch": Policy(
            "other-fault",
            "fault",
            "LACP partner missing or different, aggregators split, a leg unused",
        ),
        "stp-delay": Policy(
            "other-fault", "fault", "a port was still listening or learning when it was needed"
        ),
        "blind-path": Policy(
            "other-fault",
            "fault",
            "the path goes through something that hopback cannot evaluate",
        ),
        "hairpin-reflection": Policy(
            "comes-back",
            "cause",
            "a bridge port with hairpin on returns a station's own group or unknown frames",
        ),
        "bridge-loop": Policy(
            "comes-back", "cause", "a cycle of forwarding ports, STP not cutting it"
        ),
        "uplink-echo": Policy(
            "comes-back", "cause", "frames that left by an uplink come in again on it"
        ),
        "healthy": Policy("benign", "fault", "nothing wrong in what was given"),
    }
)

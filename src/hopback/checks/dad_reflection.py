"""dad-reflection: duplicate detection failed because the station heard its own probe.

What returned the probe is a finding of its own where it is shown (hairpin-reflection, uplink-echo,
bond-reflection, tunnel-reflection): that says where and how. This says what it did to the station.
"""

from collections.abc import Iterator, Sequence

from hopback.checks.case import Case
from hopback.checks.dad import Failure, enhanced_dad
from hopback.checks.suspicion import Suspicion, suspected
from hopback.findings import Finding
from hopback.frames.mac import format_mac
from hopback.network.facts import DevId, merge_refs
from hopback.network.identifiers import is_random, mac_in

NAME = "dad-reflection"

_SHOWN = 3


def check(case: Case) -> Iterator[Finding]:
    """One finding for each device with failures that no real owner and no proxy accounts for."""
    for device, failed, suspicion in suspected(case):
        yield _finding(case, device, failed, suspicion)


def _finding(case: Case, device: DevId, failed: Sequence[Failure], suspicion: Suspicion) -> Finding:
    active = enhanced_dad(case, device)
    by = suspicion.returned_by
    macs = dict.fromkeys(mac for f in failed for mac in f.used_by)
    return Finding(
        check=NAME,
        group="comes-back",
        severity="warning" if suspicion.confidence == "possible" else "error",
        evidence="observed" if suspicion.why == "captured" else "reported",
        confidence=suspicion.confidence,
        host=device.host,
        subject=device.name,
        summary=f"{_what(device, failed)} {_why(failed, suspicion)}",
        because=(
            *case.evidence("dad-failed", merge_refs(*(f.refs for f in failed))),
            *case.evidence("own-mac", merge_refs(*(f.own_refs for f in failed))),
            *case.evidence(_RULES.get(suspicion.why, "own-port"), suspicion.refs),
            *case.evidence("enhanced-dad", active.refs if active else ()),
            *suspicion.because,
        ),
        details={
            "netns": device.netns,
            "addresses": [f.address for f in failed if f.address is not None],
            "used_by": [format_mac(mac) for mac in macs],
            "why": suspicion.why,
            "returned_by": by.name if by else None,
            "returned_on": by.host if by else None,
            "port": suspicion.port.name if suspicion.port else None,
            "port_host": suspicion.port.host if suspicion.port else None,
            "port_netns": suspicion.port.netns if suspicion.port else None,
            "hairpin_file": suspicion.hairpin_file,
            "enhanced_dad": active.value if active else None,
        },
        explains=("dad-failed",),
        alternatives=_alternatives(failed, suspicion),
    )


_RULES = {
    "captured": "one-packet-twice",
    "advised": "advised",
    "all-ports": "should_deliver",
}


def _what(device: DevId, failed: Sequence[Failure]) -> str:
    told = [f.address for f in failed if f.address is not None]
    more = " and others" if len(told) > _SHOWN else ""
    addresses = f"{', '.join(told[:_SHOWN])}{more}" if told else "an address"
    on = f"{device.name} of {device.host}" if device.host else device.name
    return f"{on} failed duplicate detection for {addresses}:"


def _why(failed: Sequence[Failure], suspicion: Suspicion) -> str:
    by = suspicion.returned_by.name if suspicion.returned_by else ""
    port = suspicion.port.name if suspicion.port else ""
    match suspicion.why:
        case _ if suspicion.confidence == "possible":
            return (
                "it heard its own probe, or somebody else has the address. Nothing given tells"
                " which."
            )
        case "captured":
            return "its own solicitation came in again."
        case "path" | "cause":
            return f"it took its own probe, which {by} returns, for another station's."
        case "random":
            drawn = sum(is_random(f.address) for f in failed)
            return f"{drawn} of them are fresh random ones that nobody else can have."
        case "own-mac":
            return "the log names its own MAC, and no other station that is shown has it."
        case "all-ports":
            return "every port that leads to a guest returns its group frames (hairpin is on)."
        case _:
            return f"by what the text says, hairpin of {port} returns its own probe to it."


def _alternatives(failed: Sequence[Failure], suspicion: Suspicion) -> tuple[str, ...]:
    if suspicion.confidence == "certain":
        return ()
    proxy = "a neighbour proxy (a router, an access point) answers every probe"
    if suspicion.why == "random":
        return (proxy,)
    inside = any(mac_in(f.address) in f.own for f in failed)
    clone = "another machine has the same MAC" if inside else "another machine has the address"
    return (clone, proxy)

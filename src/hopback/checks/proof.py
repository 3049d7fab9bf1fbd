"""Tries a verdict of ``clear`` by ``verify``; what comes back all the same, no check has found."""

from collections.abc import Iterator, Sequence

from hopback.checks.case import Case
from hopback.engines.verify import MAX_HOPS, Proof, Witness, verify
from hopback.findings import Gap
from hopback.frames.describe import describe

QUICK_HOPS = 20_000
"""Up to there a proof takes about half a second."""


def tried(case: Case, *, thoroughly: bool) -> Proof:
    """The proof, bounded more closely if nobody asked for it."""
    return verify(case.model, hops_max=MAX_HOPS if thoroughly else QUICK_HOPS)


def unexplained(witnesses: Sequence[Witness]) -> Iterator[Gap]:
    """One gap for each ring of devices; where there is none, for each sender that hears itself."""
    rings = [w for w in witnesses if w.fate == "cycle"]
    for witness in {w.devices: w for w in reversed(rings or witnesses)}.values():
        way = " → ".join(dev.name for dev in witness.devices)
        came = f"goes round through {way}" if rings else f"comes back to {way}"
        entry = witness.entry.dev
        what = f"{describe(witness.frame)}, let in at {entry.name}, {came}: not explained"
        yield Gap(entry.host, "verify", what)

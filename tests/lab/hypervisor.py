"""The libvirt host of the fixtures: every port with hairpin on, two of three guests filtered.

k1 has no filter, k2 one against what its own MAC sends, k3 libvirt's clean-traffic.
"""

from functools import cache
from typing import Any

from hopback.datapath.model import Model, model_of
from hopback.lab.compare import Result, compare
from hopback.lab.observed import Runner
from hopback.lab.plan import Design, design
from hopback.network.build import build
from hopback.network.model import Station
from hopback.sources.open import open_source
from tests.reconstructions import ROOT

FOLDER = ROOT / "tests/fixtures/libvirt"
BRIDGED = ("ipv6", "nf_tables", "br_netfilter")
"""The facilities of a kernel whose nf_tables has the bridge family alone."""


@cache
def hypervisor() -> Model:
    return model_of(build(open_source(str(FOLDER)).snapshots))


def guest(name: str) -> Station:
    return next(s for s in hypervisor().network.stations if s.name == name)


def designed(name: str, **options: Any) -> Design:
    return design(hypervisor(), guest(name), **{"capable": BRIDGED, **options})


def played(runner: Runner, name: str, **options: Any) -> Result:
    made = designed(name, **options)
    return compare(made, runner.run(made.plan))

"""The tables: each row is asked three times, of the model, of the proof and of the kernel."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Literal, NamedTuple

from hopback.datapath.model import model_of
from hopback.findings import Fix
from hopback.network.build import build
from hopback.network.facts import DevId
from hopback.remedies import alternatives, hairpin_off, port_filter
from hopback.remedies.prove import prove, trial
from hopback.remedies.remedy import Remedy
from hopback.remedies.target import Target
from hopback.snapshot.model import Snapshot
from tests.kernel.rig import checked
from tests.truth.hypervisor import BRIDGE, VM, VM_PORT, Hypervisor
from tests.truth.measures import Asked, Measures
from tests.truth.predictions import Predictions, looked_at

Scene = Literal["a guest", "a floating address", "siblings"]
SCENES: tuple[Scene, ...] = ("a guest", "siblings", "a floating address")

FIXES: tuple[Remedy, ...] = (
    hairpin_off.REMEDY,
    port_filter.REMEDY,
    port_filter.IN_EBTABLES,
    *alternatives.REMEDIES,
)
"""All but the nwfilter, which needs a libvirt to run it: make test-libvirt."""

_GOOD = {"duplicate detection": "ok", "its own broadcast": "silent"}


class Row(NamedTuple):
    """``model`` and ``kernel`` answer the same questions; ``proof`` is None where none is due.

    ``expected``: the answers that were known before, if there are any.
    """

    table: str
    name: str
    model: Mapping[str, str]
    proof: Fix | None
    kernel: Mapping[str, str]
    expected: Mapping[str, str] | None = None

    @property
    def agrees(self) -> bool:
        """All of them: a fix is proved just if the kernel has nothing against it."""
        if self.model != self.kernel or self.expected not in (None, self.kernel):
            return False
        if self.proof is None:
            return True
        sound = all(a == _GOOD.get(q, "yes") for q, a in self.kernel.items())
        return self.proof.proved == sound and (self.proof.rejected_because is None) == sound


def fixes(scene: Scene, chosen: Sequence[Remedy] = FIXES) -> Iterator[Row]:
    """What is done against the reflection: whether it helps, and what it breaks."""
    with Hypervisor(siblings=scene == "siblings") as host, TemporaryDirectory() as folder:
        if scene == "a floating address":
            host.float(bridge_nf=True)
        host.plug_in()
        before = looked_at(host)
        host.pull_out()
        yield _row(scene, "nothing", host, None)
        target = _target(host, before)
        tried = [trial(model_of(build(before)), target)]
        for remedy in chosen:
            (fix,) = prove(before, tried, remedy)
            assert fix is not None, remedy.name
            _run(fix, fix.commands, Path(folder))
            yield _row(scene, remedy.name, host, fix)
            _run(fix, fix.undo, Path(folder))


def _target(host: Hypervisor, snapshots: Sequence[Snapshot]) -> Target:
    label = snapshots[0].host
    return Target(DevId(label, host.netns, VM_PORT), DevId(label, host.netns, BRIDGE), VM)


def _run(fix: Fix, lines: Sequence[str], folder: Path) -> None:
    """The lines of a fix, its files in a folder of ours."""
    for number, file in enumerate(fix.files):
        path = folder / str(number)
        path.write_text(file.content)
        lines = [line.replace(file.path, str(path)) for line in lines]
    for line in lines:
        checked(shlex.split(line))


def _row(scene: Scene, name: str, host: Hypervisor, proof: Fix | None) -> Row:
    host.plug_in()
    before = looked_at(host)
    host.assign()
    kernel = _answers(scene, Measures(host))
    model = _answers(scene, Predictions(host, before))
    host.pull_out()
    return Row(scene, name, model, proof, kernel)


def _answers(scene: Scene, asked: Asked) -> Mapping[str, str]:
    told = {
        "duplicate detection": asked.detection(),
        "its own broadcast": "returns" if asked.returns() else "silent",
        "finds others": _yes(asked.resolves("vm", "ext")),
        "is found": _yes(asked.resolves("ext", "vm")),
        "true duplicates found": _yes(asked.duplicates_found()),
    }
    if scene == "a floating address":
        told["reaches itself"] = _yes(asked.reaches_itself())
    if scene == "siblings":
        told["siblings meet"] = _yes(asked.siblings_meet())
    return MappingProxyType(told)


def _yes(it_does: bool) -> str:
    return "yes" if it_does else "no"


_ASKERS = {"the guest": "vm", "its neighbour": "other"}


class Nat(NamedTuple):
    """A set-up of the floating address."""

    bridge_nf: bool
    hairpin: bool
    forward: bool
    itself: bool

    def __str__(self) -> str:
        told = (f"{name} {'on' if on else 'off'}" for name, on in self._asdict().items())
        return ", ".join(told)


NATS = tuple(
    Nat(bridge_nf, hairpin, forward, itself)
    for forward, itself in ((True, True), (True, False), (False, True))
    for bridge_nf in (False, True)
    for hairpin in (False, True)
)


def floating(chosen: Sequence[Nat] = NATS) -> Iterator[Row]:
    """Who is answered by the floating address, the guest itself and its neighbour."""
    for nat in chosen:
        with Hypervisor(hairpin=nat.hairpin) as host:
            host.float(bridge_nf=nat.bridge_nf, forward=nat.forward, itself=nat.itself)
            host.plug_in()
            kernel, model = (
                {
                    "itself": _yes(asked.reaches_itself()),
                    "other": _yes(asked.reaches_itself("other")),
                }
                for asked in (Measures(host), Predictions(host, looked_at(host)))
            )
            yield Row("reaching the floating address", str(nat), model, None, kernel)


class Setting(NamedTuple):
    """Something else that is said to cause, hide or cure it, and the guest's own settings."""

    name: str
    conf: Mapping[str, int] = MappingProxyType({})
    hairpin: bool = True
    promisc: bool = False
    clone: bool = False


SETTINGS = (
    Setting("hairpin on, no nonce"),
    Setting("hairpin off, no nonce", hairpin=False),
    Setting("hairpin off, the bridge promiscuous", hairpin=False, promisc=True),
    Setting("a nonce (enhanced_dad)", {"enhanced_dad": 1}),
    Setting("a nonce, and a clone of the guest", {"enhanced_dad": 1}, hairpin=False, clone=True),
    Setting("accept_dad 0", {"accept_dad": 0}),
    Setting("accept_dad 2", {"accept_dad": 2}),
    Setting("dad_transmits 0", {"dad_transmits": 0}),
    Setting("dad_transmits 3", {"dad_transmits": 3}),
)


def settings(chosen: Sequence[Setting] = SETTINGS) -> Iterator[Row]:
    """What the guest and the bridge are set to, and how duplicate detection ends."""
    for setting in chosen:
        with Hypervisor(hairpin=setting.hairpin) as host:
            if setting.promisc:
                host.rig.ip("host", f"link set {BRIDGE} promisc on")
            if setting.clone:
                host.clone()
            host.configure(setting.conf)
            host.plug_in()
            before = looked_at(host)
            host.assign()
            kernel = {"duplicate detection": Measures(host).detection()}
            model = {"duplicate detection": Predictions(host, before).detection()}
            yield Row("duplicate detection", setting.name, model, None, kernel)

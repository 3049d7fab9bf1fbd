"""Directors: what was expected, what the model says of their listings, and what the kernel did.

The kernel is that of user-mode Linux, whatever the host's is; the model sees what ``played`` had it
list, read by hopback's own parsers, and no more.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from hopback.datapath.effects import Place
from hopback.datapath.model import model_of
from hopback.engines.rounds import rounds
from hopback.engines.trace import Trace, trace
from hopback.lab.uml.boot import run_python
from hopback.network.build import build
from hopback.network.facts import DevId
from hopback.sources.paste import read_paste
from tests.kernel.directors_rig import MODULES, NIC, host_name
from tests.truth.directing import PEERS, SCENES, Outcome, Scene, told
from tests.truth.played import Played
from tests.truth.tables import Row

_BEFORE_4_10 = "3.10.0"
_SECONDS_EACH = 30.0
_BOOT_SECONDS = 60.0


def directors(chosen: Sequence[Scene] = SCENES) -> Iterator[Row]:
    """What becomes of a client's packet between two directors that may be each other's server."""
    by_name = {scene.name: scene for scene in chosen}
    for played in _play(chosen):
        scene = by_name[played.name]
        yield Row(
            "two directors",
            scene.name,
            _words(predicted(scene, played.paste)),
            None,
            _words(played.outcome),
            _words(scene.expected),
        )


def _play(chosen: Sequence[Scene]) -> Iterator[Played]:
    """The scenes on a kernel of their own; AssertionError with what went wrong there."""
    names = [scene.name for scene in chosen]
    limit = _BOOT_SECONDS + _SECONDS_EACH * len(names)
    done = run_python("tests.truth.played", names, modules=MODULES, seconds=limit)
    assert done.code == 0, (done.output + done.errors).decode()
    for line in done.output.splitlines():
        yield msgspec.json.decode(line, type=Played)


def predicted(scene: Scene, paste: str) -> Outcome:
    """What the model makes of the listings."""
    if scene.old:
        paste = re.sub(r"(?m)^(Linux \S+) \S+", rf"\1 {_BEFORE_4_10}", paste)
    model = model_of(build(read_paste(io.BytesIO(paste.encode()), "paste.txt")))
    journey = trace(model, Place(DevId(host_name("a"), "", NIC), "in"), scene.packet)[0]
    end = journey.end("cycle")
    errors = [each.message.frame for each in journey.told]
    if end is not None:
        going = rounds(model, journey, end)
        last = [going.told.frame] if going.told else []
        return Outcome(going.frames, told=told(errors + last))
    delivered = journey.end("delivered")
    by = delivered.dev.host if delivered and delivered.dev else ""
    taken = next((role for role in PEERS if host_name(role) == by), "")
    return Outcome(1 + _crossings(journey), taken, () if taken else told(errors))


def _crossings(journey: Trace) -> int:
    """How often the packet comes from one host to another."""
    hosts = [
        (journey.hops[hop.parent].place.dev.host, hop.place.dev.host)
        for hop in journey.hops
        if hop.parent is not None
    ]
    return sum(here != there for here, there in hosts)


def _words(outcome: Outcome) -> Mapping[str, str]:
    frames = "endless" if outcome.frames is None else str(outcome.frames)
    end = f"taken by {outcome.taken}" if outcome.taken else " and ".join(outcome.told) or "silence"
    return {"frames": frames, "then": end}

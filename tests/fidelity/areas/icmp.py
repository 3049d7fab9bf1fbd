"""What a router tells by ICMP: errors and redirects, byte for byte but for what a kernel draws."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from random import Random

from msgspec.structs import replace as changed

from hopback.datapath.model import Model
from hopback.datapath.rules import RULES
from hopback.frames.codec import decode, encode
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp
from tests.build import listing, model
from tests.fidelity.area import Prediction, Result
from tests.fidelity.areas.icmp_cases import IcmpCase, random_case, smaller_case
from tests.fidelity.mutants import Mutation
from tests.fidelity.walk import Walk
from tests.kernel.icmp_rig import DEVICES, Listed, Setup, Teller, teller_refusal

_NO_SERVICE = {Icmp: (3, 3), Icmpv6: (1, 4)}
"""What a host says of a port at which nothing listens: no table of ours has those."""


class IcmpArea:
    """A namespace for each case: who was told before is told less."""

    name = "icmp"
    rules = frozenset(name for name, rule in RULES.items() if rule.area == "icmp")
    enumerated: Sequence[IcmpCase] = ()
    not_covered = (
        "how often a sender is told (rate limits), and the identification and flow label of errors",
        "neighbours that do not answer, IP options, IPv6 routing headers, IPsec, VRFs",
        "ports and protocols that nobody serves; what filters reject",
    )

    def refusal(self) -> str | None:
        return teller_refusal()

    def generate(self, chance: Random) -> IcmpCase:
        return random_case(chance)

    def smaller(self, case: IcmpCase) -> Iterator[IcmpCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[IcmpCase], Result]]:
        def run(case: IcmpCase) -> Result:
            with Teller(case.setup) as teller:
                _TABLES[case.setup] = teller.listed()
                return _result(teller.play(case.frames))

        yield run

    def model(self, case: IcmpCase, mutation: Mutation) -> Prediction:
        given, fired = tables_model(case.setup, _tables(case.setup)), set[str]()
        sent: list[Mapping[str, tuple[bytes, ...]]] = []
        for name, raw in case.frames:
            run = Walk(given, mutation, frozenset(DEVICES), tells=True)
            run.receive(name, raw)
            result, rules = run.prediction()
            sent.append(result.egress)
            fired |= rules
        return Prediction(_result(sent), frozenset(fired))


AREA = IcmpArea()

_TABLES: dict[Setup, Listed] = {}
"""What the kernel listed of the last cases: the model goes by nothing else."""


def _tables(setup: Setup) -> Listed:
    if setup not in _TABLES:
        with Teller(setup) as teller:
            _TABLES[setup] = teller.listed()
    while len(_TABLES) > 64:
        del _TABLES[next(iter(_TABLES))]
    return _TABLES[setup]


@lru_cache(maxsize=8)
def tables_model(setup: Setup, listed: Listed) -> Model:
    """The model that the listings give."""
    settings = [f"net.{key} = {value}" for key, value in setup.settings]
    tables = [listing(command, printed.splitlines()) for command, printed in listed.printed]
    return model("".join(tables) + listing("sysctl -a", settings))


def _result(sent: Sequence[Mapping[str, tuple[bytes, ...]]]) -> Result:
    """Frame for frame what left, by the number of the frame and the device."""
    return Result(
        {
            f"{number}/{name}": told
            for number, egress in enumerate(sent)
            for name, frames in egress.items()
            if (told := tuple(filter(None, map(comparable, frames))))
        }
    )


def comparable(raw: bytes) -> bytes | None:
    """What the case is about, without what a kernel draws by chance; None for anything else."""
    frame = decode(raw)
    packet = frame.payload
    if not isinstance(packet, Ipv4 | Ipv6):
        return None
    body = packet.payload
    if isinstance(body, Icmp | Icmpv6) and (body.kind, body.code) == _NO_SERVICE[type(body)]:
        return None
    if isinstance(packet, Ipv4) and isinstance(body, Icmp):
        return encode(changed(frame, payload=changed(packet, ident=0, checksum=None)))
    return raw if isinstance(body, Udp | Raw | Icmpv6) else None

"""What the model says to the same questions, from nothing but the tables, read live."""

from ipaddress import ip_address

from hopback.datapath.effects import Place
from hopback.datapath.model import Model, model_of
from hopback.datapath.nd.state import Own
from hopback.datapath.path import nic_of
from hopback.engines.flow import follow
from hopback.engines.probe import probe
from hopback.engines.simulate import Assign, Story, simulate
from hopback.engines.trace import trace
from hopback.frames.build import arp_reply, arp_request, dad_ns, link_local, na, ns
from hopback.frames.ethernet import Frame
from hopback.frames.identity import payload_identity
from hopback.frames.mac import Mac, parse_mac
from hopback.network.build import build
from hopback.network.facts import DevId
from hopback.network.model import Station
from hopback.snapshot.model import Snapshot
from hopback.sources.open import open_source
from tests.truth.hypervisor import (
    EXT,
    FIXED,
    FLOATING,
    NIC,
    OTHER_PORT,
    SIBLINGS,
    UPLINK,
    VM,
    VM_PORT,
    Hypervisor,
)
from tests.truth.measures import Detection

_SHARED = link_local(VM)
_ONE, _TWO = ip_address("10.0.0.21"), ip_address("10.0.0.22")


def looked_at(host: Hypervisor) -> tuple[Snapshot, ...]:
    """The tables of all its namespaces, as ``hopback check live`` reads them."""
    return open_source("live", tuple(host.rig.names.values())).snapshots


class Predictions:
    """The answers of the model; each is named like the measure that asks the kernel."""

    def __init__(self, host: Hypervisor, snapshots: tuple[Snapshot, ...]) -> None:
        self.model: Model = model_of(build(snapshots))
        self._label = snapshots[0].host
        self._netns = host.netns
        self._host = host

    def detection(self) -> Detection:
        """What becomes of the guest's link-local address in virtual time."""
        guest = self._station(VM_PORT)
        assigned = Assign(guest, Own(link_local(VM)))
        run = simulate(self.model, Story((assigned,)))[0]
        own = next((a for a in run.addresses[nic_of(guest)] if a.address == link_local(VM)), None)
        if own is None:
            return "gone"
        return "failed" if own.failed else "ok"

    def returns(self) -> bool:
        heard = probe(self.model, self._station(VM_PORT), "ARP").trace.end("returned")
        return heard is not None

    def resolves(self, asking: str, asked: str) -> bool:
        """The question reaches the other, and the answer the one who asked."""
        macs, ports = {"vm": VM, "ext": EXT}, {"vm": VM_PORT, "ext": UPLINK}
        own, other = macs[asking], macs[asked]
        question = ns(own, link_local(own), link_local(other))
        answer = na(other, link_local(other), (link_local(own), own))
        return self._passes(ports[asking], question, ports[asked]) and self._passes(
            ports[asked], answer, ports[asking]
        )

    def duplicates_found(self) -> bool:
        """Each hears the other's question, and its claim to all nodes."""
        return all(
            self._passes(port, frame, to)
            for mac, port, to in ((VM, VM_PORT, UPLINK), (EXT, UPLINK, VM_PORT))
            for frame in (dad_ns(mac, _SHARED), na(mac, _SHARED))
        )

    def reaches_itself(self, role: str = "vm") -> bool:
        port = VM_PORT if role == "vm" else OTHER_PORT
        flow = follow(
            self.model,
            self._station(port),
            ip_address(FLOATING),
            source=ip_address(FIXED[role]),
        )
        return flow is not None and flow.end == "answered"

    def siblings_meet(self) -> bool:
        one, two = (self._mac(role) for role in SIBLINGS)
        return all(
            self._passes(VM_PORT, frame, VM_PORT)
            for mine, theirs in ((one, two), (two, one))
            for frame in (
                arp_request(mine, _ONE, _TWO),  # type: ignore[arg-type]
                arp_reply(mine, _ONE, theirs, _TWO),  # type: ignore[arg-type]
            )
        )

    def _passes(self, port: str, frame: Frame, to: str) -> bool:
        """Whether the frame that comes in by one port leaves by the other."""
        said = payload_identity(frame)
        journey = trace(self.model, Place(self._dev(port), "in"), frame)[0]
        there = (hop for hop in journey.hops if hop.place == Place(self._dev(to), "out"))
        return any(payload_identity(hop.frame) == said for hop in there)

    def _dev(self, name: str) -> DevId:
        return DevId(self._label, self._netns, name)

    def _station(self, port: str) -> Station:
        (station,) = self.model.stations[self._dev(port)]
        return station

    def _mac(self, role: str) -> Mac:
        (link,) = self._host.rig.show(role, "ip", "link", "show", "dev", NIC)
        return parse_mac(link["address"])

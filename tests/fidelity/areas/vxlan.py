"""VXLAN devices: two VNIs on two hosts, one that learns and one that does not."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random

from msgspec.structs import replace as changed

from hopback.datapath.effects import (
    Ask,
    Blind,
    Cross,
    Deliver,
    Leave,
    Send,
    Snoop,
    Why,
)
from hopback.datapath.rules import RULES
from hopback.datapath.skb import PacketType
from hopback.datapath.vxlan import learned, transmit
from hopback.datapath.vxlan_state import Entry, Remote, Underlay, Vxlans, VxlanState
from hopback.frames.codec import decode
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, ZERO, Mac, is_group, mac_to_bytes, parse_mac
from hopback.network.facts import DevId, Ref
from hopback.snapshot.rows import Fdb
from hopback.snapshot.table import Cite
from tests.fidelity.area import Prediction, Received, Result, received
from tests.fidelity.mutants import Mutation, Spot, rule_of
from tests.fidelity.shrink import changed_at, fewer, plainer
from tests.kernel.bridge_rig import TEST_ETHERTYPE
from tests.kernel.refusal import refusal
from tests.kernel.vxlan_rig import (
    ADDRESSES,
    HOSTS,
    LEARNING_VNI,
    NOBODY,
    VNIS,
    Destination,
    EntryConfig,
    KernelVxlans,
    device_mac,
    device_name,
)

FRAMES = 12

_STATIONS = tuple(Mac(0x0200_0000_0500 + i) for i in range(5))
_GROUPS = tuple(
    parse_mac(text) for text in ("ff:ff:ff:ff:ff:ff", "01:00:5e:7f:01:02", "33:33:ff:00:00:11")
)
_EVERYBODY = (*(address for host in HOSTS for address in ADDRESSES[host]), NOBODY)
_MISSING_VNI = 99
_Key = tuple[str, Mac]


@dataclass(frozen=True)
class VxlanCase:
    """What the tables have, and frames by host and VNI of the device that sends them."""

    entries: tuple[EntryConfig, ...]
    frames: tuple[tuple[str, int, bytes], ...] = ()


class VxlanArea:
    """Two namespaces, a veth pair between them, and the kernel's own VXLAN."""

    name = "vxlan"
    rules = frozenset(name for name, rule in RULES.items() if rule.area == "vxlan")
    enumerated: Sequence[VxlanCase] = ()
    not_covered = (
        "multicast groups and IPv6 in the underlay, next-hop groups, proxy, VNIs per packet",
        "the route that an entry remembers when it moves, so that its frames go on by the old one",
        "ageing, and a route or a neighbour that the underlay lacks",
        "entries with a UDP port of their own",
        "that a bridge passes on the packet type of a frame that was not encapsulated: HOST always",
    )

    def refusal(self) -> str | None:
        if reason := refusal():
            return reason
        try:
            with KernelVxlans():
                return None
        except Exception as error:  # whatever the kernel lacks
            return f"no VXLAN: {error}"

    def generate(self, chance: Random) -> VxlanCase:
        return random_case(chance)

    def smaller(self, case: VxlanCase) -> Iterator[VxlanCase]:
        for frames in fewer(case.frames):
            yield replace(case, frames=frames)
        for entries in fewer(case.entries):
            yield replace(case, entries=entries)
        for index, entry in enumerate(case.entries):
            for fewer_destinations in fewer(entry.destinations):
                if fewer_destinations:
                    smaller = replace(entry, destinations=fewer_destinations)
                    yield replace(case, entries=changed_at(case.entries, index, smaller))
            for plain in plainer(entry):
                yield replace(case, entries=changed_at(case.entries, index, plain))

    @contextmanager
    def kernel(self) -> Iterator[Callable[[VxlanCase], Result]]:
        with KernelVxlans() as rig:

            def run(case: VxlanCase) -> Result:
                rig.configure(case.entries)
                reached = rig.play(case.frames)
                local = {name: received(seen) for name, seen in reached.local.items()}
                return Result(dict(reached.nobody), local, _listed(reached.table))

            yield run

    def model(self, case: VxlanCase, mutation: Mutation) -> Prediction:
        run = _Run(case, mutation)
        for host, vni, raw in case.frames:
            run.take(host, vni, raw)
        return run.prediction()


AREA = VxlanArea()


def random_case(chance: Random) -> VxlanCase:
    """Flood lists and entries that name anybody, and frames of every class in both directions."""
    entries = [
        _entry(chance, host, vni, mac)
        for host in HOSTS
        for vni in VNIS
        for mac in (ZERO, _GROUPS[1], *_STATIONS, device_mac(host, vni))
        if chance.random() < (0.85 if mac == ZERO else 0.25)
    ]
    frames = tuple(
        (chance.choice(HOSTS), chance.choice(VNIS), _frame(chance, number))
        for number in range(FRAMES)
    )
    return VxlanCase(tuple(entries), frames)


def _entry(chance: Random, host: str, vni: int, mac: Mac) -> EntryConfig:
    many = mac == ZERO or is_group(mac)
    wanted = [
        Destination(chance.choice(_EVERYBODY), chance.choice((None,) * 6 + (*VNIS, _MISSING_VNI)))
        for _ in range(chance.randint(1, 4) if many else 1)
    ]
    # The kernel takes an entry's own VNI and none for the same: it would refuse the second.
    told = {(d.address, d.vni or vni): d for d in wanted}
    return EntryConfig(host, vni, mac, tuple(told.values()), chance.random() < 0.6)


def _frame(chance: Random, number: int) -> bytes:
    own = tuple(device_mac(host, vni) for host in HOSTS for vni in VNIS)
    source = chance.choice((*_STATIONS, *_STATIONS, *own, _GROUPS[1], ZERO))
    target = chance.choice((*_STATIONS, *_GROUPS, *_GROUPS, *own))
    body = number.to_bytes(4, "big").ljust(46, b"\0")
    return mac_to_bytes(target) + mac_to_bytes(source) + TEST_ETHERTYPE.to_bytes(2, "big") + body


def _listed(rows: Sequence[Fdb]) -> dict[_Key, tuple[object, ...]]:
    found: dict[_Key, tuple[object, ...]] = {}
    for row in rows:
        key = (row.dev or "", row.mac)
        own = int((row.dev or "0")[-1])
        remote = (row.dst, row.vni or own)
        pinned, *before = found.get(key, (row.local or row.static,))
        found[key] = (pinned, *before, remote)
    return found


class _Run:
    """One case in the model: the tables between frames, and what the frames led to."""

    def __init__(self, case: VxlanCase, mutation: Mutation) -> None:
        self._remotes: list[str] = []
        states = {
            id_: _state(id_, host, vni)
            for host in HOSTS
            for vni in VNIS
            for id_ in [_dev(host, vni)]
        }
        for entry in case.entries:
            id_ = _dev(entry.host, entry.vni)
            made = Entry(tuple(map(self._remote, entry.destinations)), entry.permanent)
            states[id_] = changed(states[id_], fdb={**states[id_].fdb, entry.mac: made})
        owners = {
            address: {Underlay(host, ""): ()} for host in HOSTS for address in ADDRESSES[host]
        }
        self._vxlans = Vxlans(states, owners)
        self._mutation = mutation
        self._nobody: dict[str, list[bytes]] = {}
        self._local: dict[str, list[Received]] = {}
        self._fired: set[str] = set()

    def _remote(self, to: Destination) -> Remote:
        """A citation tells afterwards by which destination a frame left."""
        self._remotes.append(to.address)
        return Remote(to.address, to.vni, (Ref("", Cite(0, len(self._remotes) - 1)),))

    def take(self, host: str, vni: int, raw: bytes) -> None:
        """One frame that a host's device of that VNI sends."""
        id_, frame = _dev(host, vni), decode(raw)
        effects = transmit(self._vxlans, self._vxlans.by_id[id_], {}, frame)
        self._fired.update(filter(None, map(rule_of, effects)))
        for effect in self._mutation(effects, Spot(id_, None, frame)):
            match effect:
                case Cross(dev=dev, why=Why(rule="vxlan-local")):
                    # vxlan_encap_bypass sets PACKET_HOST, whatever the frame's destination.
                    self._note(dev, "host", raw)
                case Cross(dev=dev) | Send(dev=dev) | Deliver(dev=dev):
                    self._note(dev, _type_at(self._vxlans.by_id[dev], frame), raw)
                case Snoop():
                    self._learn(effect)
                case Leave(why=why) if self._remotes[why.refs[0].cite.line] == NOBODY:
                    self._nobody.setdefault(host, []).append(raw)
                case Ask() | Blind():
                    raise AssertionError(f"the model leaves it open: {effect}")

    def _note(self, dev: DevId, type_: PacketType, raw: bytes) -> None:
        self._local.setdefault(dev.name, []).append(Received(type_, raw))

    def _learn(self, snooped: Snoop) -> None:
        state = self._vxlans.by_id[snooped.dev]
        entry = learned(state.fdb.get(snooped.mac), snooped)
        # What moved is another destination now, and must not be counted as what it was.
        first = self._remote(Destination(snooped.remote, entry.remotes[0].vni))
        entry = changed(entry, remotes=(first, *entry.remotes[1:]))
        after = changed(state, fdb={**state.fdb, snooped.mac: entry})
        self._vxlans = changed(self._vxlans, by_id={**self._vxlans.by_id, state.id: after})

    def prediction(self) -> Prediction:
        table = {
            (id_.name, mac): (entry.pinned, *((r.dst, r.vni or state.vni) for r in entry.remotes))
            for id_, state in self._vxlans.by_id.items()
            for mac, entry in state.fdb.items()
        }
        result = Result(
            {host: tuple(frames) for host, frames in self._nobody.items()},
            {name: tuple(received) for name, received in self._local.items()},
            table,
        )
        return Prediction(result, frozenset(self._fired))


def _type_at(state: VxlanState, frame: Frame) -> PacketType:
    """eth_type_trans."""
    if frame.dst == BROADCAST:
        return "broadcast"
    if is_group(frame.dst):
        return "multicast"
    return "host" if frame.dst == state.mac else "otherhost"


def _dev(host: str, vni: int) -> DevId:
    return DevId(host, "", device_name(host, vni))


def _state(id_: DevId, host: str, vni: int) -> VxlanState:
    return VxlanState(
        id_,
        vni=vni,
        local=ADDRESSES[host][0],
        mac=device_mac(host, vni),
        learning=vni == LEARNING_VNI,
        underlay=Underlay(host, ""),
    )

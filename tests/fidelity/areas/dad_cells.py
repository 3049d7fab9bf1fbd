"""The cells of duplicate detection: every state, every message, every setting; and random ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from random import Random

from tests.fidelity.shrink import changed_at, fewer, plainer
from tests.kernel.dad_config import ROUTER, Heard, Settings, StationConfig
from tests.kernel.dad_rig import COUNT

ASKER = "fe80::99"
_ROUTED = (("forwarding", 1), ("proxy_ndp", 1))
_PROXY = "fe80::77"
_FOREIGN = Heard()


@dataclass(frozen=True)
class DadCase:
    """Stations, each on a segment of its own, and the settings of their namespace."""

    everybody: Settings = ()
    stations: tuple[StationConfig, ...] = ()

    @property
    def frames(self) -> Sequence[Heard]:
        return [heard for station in self.stations for heard in station.heard]


_STATES: tuple[tuple[dict[str, object], tuple[Heard, ...], Settings], ...] = (
    ({}, (), ()),  # tentative
    ({"flags": ("optimistic",)}, (), (("optimistic_dad", 1),)),
    ({"flags": ("nodad",)}, (), ()),  # preferred
    ({"flags": ("nodad",), "deprecated": True}, (), ()),
    ({}, (_FOREIGN,), ()),  # dadfailed
    ({"dynamic": True}, (), ()),
)
_KINDS = ("2001:db8::1", "eui64")
_MESSAGES = tuple(
    Heard(kind, mac, src, nonce, lladdr=src != "::" or kind == "na")  # type: ignore[arg-type]
    for kind, mac, src, nonce in (
        product(("ns", "na"), ("own", "other"), ("::", ASKER), ("none", "own", "other"))
    )
)


def every_cell() -> Iterator[DadCase]:
    """Each state of an address, times each message, times accept_dad and enhanced_dad."""
    for all_enhanced, all_accept in product((0, 1), (0, 1, 2)):
        everybody = (("conf/all/enhanced_dad", all_enhanced), ("conf/all/accept_dad", all_accept))
        cells = [
            StationConfig(
                settings=(("enhanced_dad", enhanced), ("accept_dad", accept), *more),
                given=given,
                heard=(*before, message),
                **state,  # type: ignore[arg-type]
            )
            for (state, before, more), given, message, enhanced, accept in product(
                _STATES, _KINDS, _MESSAGES, (0, 1), (0, 1, 2)
            )
        ]
        for start in range(0, len(cells), COUNT):
            yield DadCase(everybody, tuple(cells[start : start + COUNT]))


_ASKED = Heard(src=ASKER, lladdr=True)
_VALID = StationConfig(flags=("nodad",))
RARE = DadCase(
    stations=(
        replace(_VALID, heard=(_ASKED, replace(_ASKED, lladdr=False))),
        replace(
            _VALID,
            settings=_ROUTED,
            given="2001:db8::1",
            proxied=(_PROXY,),
            heard=(Heard(target="2001:db8::"), Heard(target=_PROXY)),
        ),
        StationConfig(_ROUTED, None, proxied=(_PROXY,), heard=(Heard(target=_PROXY),)),
        StationConfig(
            heard=(Heard("ra", src=str(ROUTER)), Heard("ra", src=str(ROUTER), preferred=0))
        ),
        StationConfig(mode=3, heard=(Heard(), Heard(), Heard(), Heard(), Heard())),
        StationConfig((("accept_dad", 2),), None, mode=0, heard=(Heard(), Heard())),
        StationConfig((("ndisc_notify", 1),), finish=True),
    )
)
"""What chance takes long to find."""

_RANDOM_EVERYBODY = {
    "conf/all/accept_dad": (0, 0, 1, 2),
    "conf/all/enhanced_dad": (0, 1),
    "conf/all/optimistic_dad": (0, 0, 1),
    "conf/all/use_optimistic": (0, 0, 1),
    "conf/all/proxy_ndp": (0, 1),
    "conf/all/ndisc_notify": (0, 0, 1),
    "idgen_retries": (0, 1, 3),
}
_RANDOM_OWN = {
    "accept_dad": (0, 1, 1, 1, 2),
    "enhanced_dad": (0, 1),
    "dad_transmits": (0, 1, 1, 1, 2, 3),
    "optimistic_dad": (0, 0, 1),
    "use_optimistic": (0, 1),
    "proxy_ndp": (0, 1),
    "ndisc_notify": (0, 0, 1),
    "drop_unsolicited_na": (0, 0, 1),
    "accept_ra": (0, 1, 1, 2),
    "autoconf": (0, 1, 1, 1),
    "router_solicitations": (0, 3),
    "forwarding": (0, 0, 1),
}


def random_case(chance: Random) -> DadCase:
    everybody = _drawn(chance, _RANDOM_EVERYBODY)
    return DadCase(everybody, tuple(_station(chance, dict(everybody)) for _ in range(COUNT)))


def _drawn(chance: Random, choices: dict[str, tuple[int, ...]]) -> Settings:
    return tuple((key, chance.choice(values)) for key, values in choices.items())


def _station(chance: Random, everybody: dict[str, int]) -> StationConfig:
    settings = _drawn(chance, _RANDOM_OWN)
    if everybody["conf/all/optimistic_dad"] or dict(settings)["optimistic_dad"]:
        # An optimistic address joins its anycast group twice and leaves it once: 6.18 leaks it.
        settings = tuple((key, value) for key, value in settings if key != "forwarding")
    mode = chance.choice((1, 1, 1, 0, 3))
    given = chance.choice((None, "eui64", "2001:db8::1", "2001:db8::1")) if mode == 1 else None
    flags: tuple[str, ...] = ()
    if given and dict(settings)["optimistic_dad"] and chance.random() < 0.5:
        flags = ("optimistic",)
    elif given and chance.random() < 0.3:
        flags = ("nodad",)
    own_needed = given is None and mode != 1
    router = bool(dict(settings).get("forwarding"))
    return StationConfig(
        settings,
        given,
        flags,
        deprecated=given is not None and chance.random() < 0.2,
        dynamic=given is not None and chance.random() < 0.3,
        mode=mode,
        finish=chance.random() < 0.3,
        proxied=(_PROXY,) if chance.random() < 0.5 else (),
        heard=tuple(
            _heard(chance, own=own_needed, router=router) for _ in range(chance.randint(0, 5))
        ),
    )


def _heard(chance: Random, *, own: bool, router: bool) -> Heard:
    kind = chance.choice(("ns", "ns", "ns", "na", "na", "ra"))
    if kind == "ra":
        return _advertisement(chance)
    others = ("own",) if own else ("own", "own", "own", _PROXY, "2001:db8::", "2001:db8::5")
    target = chance.choice(others)
    # Who answers a global address for another may take any interface's address to do so.
    askers = (ASKER, "2001:db8::99") if target == "own" else (ASKER,)
    src = chance.choice(("::", "::", *askers)) if kind == "ns" else ASKER
    # A router forwards what is for an address that is not usable yet.
    alone = src != "::" and not router and chance.random() < 0.3
    return Heard(
        kind,  # type: ignore[arg-type]
        chance.choice(("own", "other")),
        src,
        chance.choice(("none", "own", "other")),
        target,
        "station" if alone else "group",
        lladdr=chance.random() < (0.1 if src == "::" else 0.7),
        solicited=kind == "na" and chance.random() < 0.3,
        hop_limit=64 if chance.random() < 0.05 else 255,
    )


def _advertisement(chance: Random) -> Heard:
    valid, preferred = chance.choice(((3600, 1800), (3600, 1800), (3600, 0), (0, 0), (10, 1800)))
    return Heard(
        "ra",
        src=str(ROUTER) if chance.random() < 0.9 else "2001:db8::fe",
        lladdr=chance.random() < 0.7,
        hop_limit=64 if chance.random() < 0.05 else 255,
        prefix=chance.choice(("2001:db8::", "2001:db8:1::", "fe80::", "ff00::")),
        length=chance.choice((64, 64, 64, 48)),
        # Without the on-link flag what is for a tentative address is answered with an ICMP error.
        flags=chance.choice((0xC0, 0xC0, 0x80)),
        valid=valid,
        preferred=preferred,
    )


def smaller_case(case: DadCase) -> Iterator[DadCase]:
    for stations in fewer(case.stations):
        yield replace(case, stations=stations)
    for setting in fewer(case.everybody):
        yield replace(case, everybody=setting)
    for index, station in enumerate(case.stations):
        for simpler in _simpler(station):
            yield replace(case, stations=changed_at(case.stations, index, simpler))


def _simpler(station: StationConfig) -> Iterator[StationConfig]:
    for fewer_heard in fewer(station.heard):
        yield replace(station, heard=fewer_heard)
    for settings in fewer(station.settings):
        yield replace(station, settings=settings)
    yield from plainer(station)
    for index, heard in enumerate(station.heard):
        for plain in plainer(heard):
            yield replace(station, heard=changed_at(station.heard, index, plain))

"""How a bridge learns (net/bridge/br_fdb.c:br_fdb_update, Linux 6.12)."""

from msgspec.structs import replace

from hopback.datapath.bridge.state import BridgeState, FdbEntry, FdbKey, PortConfig
from hopback.datapath.effects import Effect, Learn, Log, Why
from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import DevId


def learn(state: BridgeState, port: PortConfig, source: Mac, vid: int) -> tuple[Effect, ...]:
    """What the source address of a frame of VLAN ``vid`` that came in by ``port`` does.

    A local entry never changes, but it logs; a sticky one stays in silence; any other entry,
    "static" ones too, follows the last frame seen.
    """
    if not port.learning or not state.learns:
        return ()
    entry = state.fdb.get((source, vid))
    if entry is None:
        return (_learnt(state, port, (source, vid), None, "learn-new"),)
    if entry.local:
        return (_own_source(state, port, (source, vid), entry),)
    if entry.port == port.id or (entry.sticky and state.kernel.sticky):
        return ()
    return (_learnt(state, port, (source, vid), entry, "learn-move"),)


def _learnt(
    state: BridgeState, port: PortConfig, key: FdbKey, entry: FdbEntry | None, rule: str
) -> Learn:
    before: DevId | None = entry.port if entry else None
    refs = entry.refs if entry else ()
    return Learn(state.id, *key, port.id, before, Why(rule, refs))


def _own_source(state: BridgeState, port: PortConfig, key: FdbKey, entry: FdbEntry) -> Log:
    text = (
        f"{state.id.name}: received packet on {port.id.name} with own address as source address"
        f" (addr:{format_mac(key[0])}, vlan:{key[1]})"
    )
    return Log(text, Why("learn-own", entry.refs))


def applied(state: BridgeState, learnt: Learn) -> BridgeState:
    """The bridge after ``learnt``, for whoever lets frames follow one another."""
    key = (learnt.mac, learnt.vlan)
    entry = state.fdb.get(key)
    kept = FdbEntry(
        learnt.port,
        sticky=entry.sticky if entry else False,
        locked=learnt.locked,
        refs=learnt.why.refs,
        lasting=entry.lasting if entry else False,
    )
    return replace(state, fdb={**state.fdb, key: kept})

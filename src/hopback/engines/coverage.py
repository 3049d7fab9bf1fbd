"""What the tables given do not cover: nothing is proved past it."""

from collections.abc import Collection, Iterator

from hopback.datapath.model import Model
from hopback.network.facts import DevId
from hopback.snapshot.model import Snapshot


def uncovered(model: Model, walked: Collection[DevId]) -> Iterator[str]:
    """In words, what was not listed whole or not evaluated of the devices that frames ``walked``.

    Not of forwarding tables and multicast groups: the model asks where one matters.
    """
    for host, snapshot in model.network.snapshots.items():
        spaces = dict.fromkeys(dev.netns for dev in sorted(walked) if dev.host == host)
        for netns in spaces:
            yield from _of_space(model, snapshot, netns, walked)
        for row in snapshot.unread.rows:
            yield f"{row.what} is not evaluated"


def _of_space(
    model: Model, snapshot: Snapshot, netns: str, walked: Collection[DevId]
) -> Iterator[str]:
    where = f"namespace {netns} of {snapshot.host}" if netns else snapshot.host or "the host"
    if not snapshot.links.complete(netns):
        yield f"nobody listed all devices of {where} (ip -d link show)"
    for bridge in model.network.bridges.values():
        if bridge.id[:2] == (snapshot.host, netns) and not bridge.ports_complete:
            yield f"nobody listed all ports of {bridge.id.name} (bridge -d link show)"
    if not snapshot.blinds.complete(netns):
        yield f"nobody looked for tc filters and BPF programs on {where} (tc filter show)"
    for blind in snapshot.blinds.rows:
        if blind.netns == netns and (
            not blind.dev or DevId(snapshot.host, netns, blind.dev) in walked
        ):
            yield f"{blind.dev or where}: {blind.what}"
    yield from _filters(model, snapshot, netns, where)


def _filters(model: Model, snapshot: Snapshot, netns: str, where: str) -> Iterator[str]:
    listed = snapshot.filter_chains.complete(netns)
    if not (listed or snapshot.filters.complete(netns)):
        yield f"nobody listed all packet filters of {where} (nft list ruleset; ebtables-save)"
    filters = model.netfilter.get((snapshot.host, netns))
    for unseen in filters.rules.unseen if filters else ():
        yield f"{unseen.what} is not evaluated"
    for nic in () if listed else snapshot.guest_nics.rows:  # what libvirt makes of it is listed
        if nic.netns == netns and nic.filter:
            yield f"libvirt filter {nic.filter} on {nic.target or 'a guest'} is not evaluated"

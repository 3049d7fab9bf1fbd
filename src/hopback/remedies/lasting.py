"""How a remedy is made to last where somebody else makes the port, and what the guest must do."""

from collections.abc import Iterator, Sequence

from hopback.findings import Finding, Fix, Persistence
from hopback.network.facts import DevId
from hopback.network.identifiers import mac_in
from hopback.network.model import Network
from hopback.remedies import hairpin_off, port_filter_nwfilter
from hopback.remedies.managers import Manager, manager_of
from hopback.remedies.target import Target
from hopback.snapshot.rows import DadEvent

_BOOT = "nftables.service"
_NETWORKD = "systemd-networkd"


def persistence(network: Network, target: Target, fix: Fix) -> tuple[Persistence, ...]:
    """What to write where, so that the fix outlives the port's next start."""
    manager = manager_of(network, target)
    if fix.name == hairpin_off.NAME:
        return tuple(_flag(manager, target))
    if fix.name == port_filter_nwfilter.NAME:
        return ()  # libvirt keeps it
    return tuple(_filter(manager, target, fix))


def _flag(manager: Manager, target: Target) -> Iterator[Persistence]:
    match manager:
        case "docker":
            yield Persistence(
                "Docker (/etc/docker/daemon.json): it sets hairpin only without its proxy",
                ('{ "userland-proxy": true }',),
            )
        case "cni":
            yield Persistence(
                "the bridge plugin of CNI (/etc/cni/net.d/*.conflist)", ('"hairpinMode": false',)
            )
        case "kubenet":
            yield Persistence(
                "the kubelet: the bridge is made promiscuous then, and no port returns frames",
                ("--hairpin-mode=promiscuous-bridge",),
            )
        case "host":
            port = target.port.name
            yield Persistence(
                f"{_NETWORKD} (/etc/systemd/network/{port}.network; with netplan as a drop-in,"
                f" /etc/systemd/network/10-netplan-{port}.network.d/hairpin.conf)",
                ("[Match]", f"Name={port}", "[Bridge]", "HairPin=false"),
            )
        case "nova":
            yield Persistence(
                "nova-network: it sets hairpin whenever it starts a guest; take the filter instead",
                (),
            )
        case "libvirt" | "neutron" | "proxmox":
            pass  # none of them sets hairpin: who did is not known


def _filter(manager: Manager, target: Target, fix: Fix) -> Iterator[Persistence]:
    if manager in ("libvirt", "nova") and target.port.name.startswith("vnet"):
        yield Persistence(
            "libvirt, as its taps get new names: virsh nwfilter-define FILE, and then"
            f" <filterref filter='{port_filter_nwfilter.FILTER}'/> in the guest's interface",
            tuple(port_filter_nwfilter.XML.splitlines()),
        )
        return
    for file in fix.files:
        if not target.port.netns and manager in ("host", "proxmox", "libvirt", "nova", "neutron"):
            yield Persistence(f"{_BOOT} (/etc/nftables.conf)", (f'include "{file.path}"',))


def afterwards(network: Network, target: Target, finding: Finding) -> tuple[str, ...]:
    """What the guest has to do: an address stays dadfailed until it is added again."""
    if manager_of(network, target) in ("docker", "cni", "kubenet"):
        return ("start the container anew: whoever starts it makes its addresses",)
    device = next((s.device for s in network.stations if s.port == target.port and s.device), None)
    ip = f"ip -n {device.netns}" if device and device.netns else "ip"
    events = _events(network, target)
    dev = device.name if device else next((e.dev for e in events), "DEV")
    failed = _failed(network, device, finding, events) or ["ADDRESS/LENGTH"]
    return (
        *(f"{ip} -6 addr {verb} {text} dev {dev}" for text in failed for verb in ("del", "add")),
        f"or {ip} link set {dev} down, and up: that takes its other IPv6 addresses and routes away",
    )


def _events(network: Network, target: Target) -> list[DadEvent]:
    """What was logged of the station's failures: by itself, if its log is there.

    The host's log tells of namespaces on the host, whose devices have names of their own.
    """
    told = [
        (snapshot.host == target.host, event)
        for snapshot in network.snapshots.values()
        for event in snapshot.dad_events.rows
        if target.mac in (event.used_by, mac_in(event.address))
    ]
    own = [event for on_host, event in told if not on_host]
    return own or [event for _, event in told]


def _failed(
    network: Network, device: DevId | None, finding: Finding, events: Sequence[DadEvent]
) -> list[str]:
    """The addresses whose duplicate detection failed, with their prefix length where it is told."""
    if device is not None:
        rows = network.snapshots[device.host].addresses.rows
        here = [a for a in rows if (a.netns, a.dev) == device[1:] and "dadfailed" in a.flags]
        return [f"{a.address}/{a.prefix_len}" for a in here]
    told = (*finding.details.get("addresses", ()), *(e.address for e in events if e.address))
    return [f"{text}/64" for text in dict.fromkeys(told)]

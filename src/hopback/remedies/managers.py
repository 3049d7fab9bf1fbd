"""Who makes a bridge and its ports, told by the names they give them."""

import re
from typing import Literal

from hopback.network.model import Network
from hopback.remedies.target import Target

Manager = Literal["nova", "neutron", "proxmox", "libvirt", "docker", "cni", "kubenet", "host"]

_NAMES: tuple[tuple[Manager, str, str], ...] = (
    # bridge, port
    ("proxmox", r"vmbr\d+.*|fwbr\d+i\d+", r"(?:tap|veth|fwpr|fwln)\d+[ip]\d+"),
    ("neutron", r"(?:brq|qbr)[0-9a-f-]+", r"(?:tap|qvb)[0-9a-f-]{11}"),
    ("docker", r"docker\d+|docker_gwbridge|br-[0-9a-f]{12}", r"veth.*"),
    ("kubenet", r"cbr0", r"veth.*"),
    ("cni", r"cni\d+|cni-podman\d+|kube-bridge|mynet\d*", r"veth.*"),
)
_NOVA_GUEST = re.compile(r"instance-[0-9a-f]{8}")


def manager_of(network: Network, target: Target) -> Manager:
    """Who would make the port again, and undo or repeat what was changed."""
    for manager, bridge, port in _NAMES:
        if re.fullmatch(bridge, target.bridge.name) and re.fullmatch(port, target.port.name):
            return manager
    nics = network.snapshots[target.host].guest_nics.rows
    guests = {n.guest for n in nics if (n.netns, n.target) == target.port[1:] and n.guest}
    if any(_NOVA_GUEST.fullmatch(guest) for guest in guests):
        return "nova"
    return "libvirt" if target.nic is not None else "host"

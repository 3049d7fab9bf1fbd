"""What the kernel says when a tunnel's outer packet is routed into the tunnel again.

``net/core/dev.c:__dev_queue_xmit`` and ``include/net/ip_tunnels.h`` users (7.0, "ip_tunnel_core: "
in front), ``net/ipv6/ip6_tunnel.c:ip6_tnl_xmit``, ``ip6_tnl_xmit_ctl``. Debugging messages:
``drivers/net/vxlan/vxlan_core.c:vxlan_get_route``, ``drivers/net/geneve.c``,
``drivers/net/wireguard/socket.c:send4`` (5.6; out of tree before). That of ipip and gre: none.
"""

import re
from typing import NamedTuple

from hopback.snapshot.rows import TunnelLoopKind
from hopback.sources.parse.fields import unnamed

_ADDRESS = r"\[?[0-9a-fA-F:.]{2,45}[0-9a-fA-F]\b"


class Loop(NamedTuple):
    """A message: of which device, what, and where in the line it begins."""

    dev: str
    kind: TunnelLoopKind
    remote: str | None
    start: int


class TunnelMessages:
    """The messages, ``dev`` being the regular expression for a device's name."""

    def __init__(self, dev: str) -> None:
        name = rf"(?P<dev>{dev})"
        remote = rf"(?P<remote>{_ADDRESS})"
        self._forms: tuple[tuple[re.Pattern[str], TunnelLoopKind], ...] = (
            (re.compile(rf"\bDead loop on virtual device {name}, fix it urgently"), "dead-loop"),
            (re.compile(rf"{name}: Local routing loop detected!"), "own-route"),
            (re.compile(rf"{name}: circular route to {remote}"), "own-route"),
            (re.compile(rf"{name}: Avoiding routing loop to {remote}"), "own-route"),
            (re.compile(rf"{name} xmit: Routing loop! Remote address found on"), "own-remote"),
        )
        self.shape = "|".join(unnamed(form) for form, _ in self._forms)

    def loop(self, line: str) -> Loop | None:
        """The message in a line, if there is one."""
        if "oop" not in line and "circular" not in line:
            return None
        for form, kind in self._forms:
            if found := form.search(line):
                said = found.groupdict().get("remote")
                return Loop(found["dev"], kind, _plain(said), found.start())
        return None


def _plain(remote: str | None) -> str | None:
    """Without the port that WireGuard prints, as ``10.0.0.1:51820`` or ``[2001:db8::1]:51820``."""
    if remote is None:
        return None
    if remote.startswith("["):
        return remote[1:].partition("]")[0]
    return remote.partition(":")[0] if "." in remote else remote

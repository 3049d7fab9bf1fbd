"""What the kernel logs of packets that a tunnel was to send through itself."""

import pytest

from hopback.snapshot.rows import TunnelLoop
from hopback.sources.parse import kernel_log
from tests.sources.parse.given import facts, listing, pasted, rows

LINES = [
    ("Dead loop on virtual device tun1, fix it urgently!", ("tun1", "dead-loop", None)),
    (
        "ip_tunnel_core: Dead loop on virtual device gre-a, fix it urgently!",
        ("gre-a", "dead-loop", None),
    ),
    ("six0: Local routing loop detected!", ("six0", "own-route", None)),
    (
        "ip6_tunnel: six0 xmit: Routing loop! Remote address found on this node!",
        ("six0", "own-remote", None),
    ),
    ("vxlan: vx7: circular route to 198.51.100.9", ("vx7", "own-route", "198.51.100.9")),
    ("geneve0: circular route to 2001:db8:9::9", ("geneve0", "own-route", "2001:db8:9::9")),
    (
        "wireguard: wg0: Avoiding routing loop to 198.51.100.7:51820",
        ("wg0", "own-route", "198.51.100.7"),
    ),
    (
        "wireguard: wg0: Avoiding routing loop to [2001:db8::7]:51820",
        ("wg0", "own-route", "2001:db8::7"),
    ),
]


@pytest.mark.parametrize(("line", "said"), LINES)
def test_in_a_log_and_in_a_paste(line: str, said: tuple[str, str, str | None]) -> None:
    for text in (
        listing(f"[   12.500000] {line}", "dmesg"),
        pasted(f"- and then: {line}"),
    ):
        (row,) = rows(kernel_log.parse(text), TunnelLoop)
        assert (row.dev, row.kind, row.remote) == said
    (timed,) = rows(kernel_log.parse(listing(f"[   12.500000] {line}", "dmesg")), TunnelLoop)
    assert facts(timed)["at"] == 12_500_000_000


@pytest.mark.parametrize(
    "line",
    [
        'net_crit_ratelimited("Dead loop on virtual device %s, fix it urgently!\\n",',
        "a circular route to Rome",
        "loop: module loaded",
    ],
)
def test_what_is_no_message(line: str) -> None:
    assert not rows(kernel_log.parse(pasted(line)), TunnelLoop)

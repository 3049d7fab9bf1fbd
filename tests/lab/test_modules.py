"""Which modules the lines of a plan use."""

import pytest

from hopback.lab.modules import SYMBOLS, needed


@pytest.mark.parametrize(
    ("line", "modules"),
    [
        ("ip link add name br0 up type bridge stp_state 0", ("bridge",)),
        ("sysctl net/bridge/bridge-nf-call-iptables=0", ("br_netfilter",)),
        ("nft add table bridge t", ("nf_tables",)),
        ("nft add rule ip t c ct state new drop", ("nf_tables", "nft_ct")),
        (
            "nft add rule bridge t c ct state new reject",
            ("nf_tables", "nft_ct", "nf_conntrack_bridge", "nft_reject_bridge"),
        ),
        (
            "nft add chain ip t c { type nat hook prerouting priority -100; policy accept; }",
            ("nf_tables", "nft_chain_nat"),
        ),
        ("nft add rule ip t c dnat to 10.0.0.1", ("nf_tables", "nft_nat")),
        ("nft add rule inet t c fib daddr type local drop", ("nf_tables", "nft_fib_inet")),
        ('nft add rule bridge t c meta ibrname "br0" drop', ("nf_tables", "nft_meta_bridge")),
        ("bridge fdb show", ()),
    ],
)
def test_line_tells_its_modules(line: str, modules: tuple[str, ...]) -> None:
    assert needed([line]) == modules
    assert set(modules) <= set(SYMBOLS)

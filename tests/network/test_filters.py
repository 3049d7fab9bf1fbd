"""Which filters there are, told from chains and rules that nobody evaluates yet."""

import pytest

from hopback.network.filters import hooked
from hopback.snapshot.model import Builder, Snapshot
from hopback.snapshot.rows import PacketFilter
from hopback.snapshot.table import Cite, Source
from hopback.sources.parse import nft
from hopback.sources.parse.base import Text

Found = list[tuple[str, str, set[str] | None]]

RULESET = """table %s guard {
\tchain forward {
\t\ttype filter hook %s priority filter; policy %s;
\t\t%s
\t}
\tchain quiet {
\t\ttype filter hook input priority filter; policy accept;
\t}
\tchain called {
\t\tdrop
\t}
}"""


def snapshot(text: str) -> Snapshot:
    builder = Builder()
    number = builder.open(Source("nft list ruleset"))
    builder.add(*nft.parse(Text(number, "", text.splitlines())))
    return builder.build()


def found(snapshot: Snapshot) -> Found:
    chains = hooked(snapshot)
    return [(c.family, c.name, None if c.devices is None else {*c.devices}) for c in chains]


@pytest.mark.parametrize(
    ("rule", "devices"),
    [
        ('iifname "tap1" drop', {"tap1"}),
        ('meta oifname { "tap1", "tap2" } ether saddr 02:00:00:00:00:01 drop', {"tap1", "tap2"}),
        ('iifname vmap { "tap1" : jump called, "tap2" : drop }', {"tap1", "tap2"}),
        ('iifname != "tap1" drop', None),
        ('iifname "tap*" drop', None),
        ("iifname @taps drop", None),
        ("iifname vmap @taps", None),
        ("ether type arp drop", None),
    ],
)
def test_the_devices_that_rules_name(rule: str, devices: set[str] | None) -> None:
    """One row for each base chain that does anything."""
    text = RULESET % ("bridge", "forward", "accept", rule)
    assert found(snapshot(text)) == [("bridge", "nft bridge guard forward", devices)]


def test_a_policy_and_an_ingress_hook() -> None:
    drops = RULESET % ("bridge", "forward", "drop", 'iifname "tap1" accept')
    assert found(snapshot(drops)) == [("bridge", "nft bridge guard forward", None)]
    ingress = RULESET % ("netdev", 'ingress device "eth0"', "accept", "drop")
    assert found(snapshot(ingress)) == [("netdev", "nft netdev guard forward", {"eth0"})]


def test_a_chain_of_which_rules_are_missing() -> None:
    text = RULESET.partition("\t\t%s")[0] % ("bridge", "forward", "accept")
    assert found(snapshot(text)) == [("bridge", "nft bridge guard forward", None)]


def test_what_could_not_be_read_is_still_a_filter() -> None:
    builder = Builder()
    row = PacketFilter(cite=Cite(0, 1), family="bridge", name="ebtables nat")
    builder.add([row])
    assert found(builder.build()) == [("bridge", "ebtables nat", None)]

"""What libvirt makes of filters: held to what libvirt 9.0 made, chain by chain."""

import pytest

from hopback.network.nwfilter.differences import differences
from hopback.network.nwfilter.filters import filters_of
from hopback.network.nwfilter.installed import installed
from hopback.snapshot.rows import Field, Match, NwBinding, Opaque, Span, Step, Unsure, Verdict
from hopback.snapshot.table import Cite
from tests.network.nwfilter.given import FIXTURES, binding, filters, listed, recorded, snapshot

RECORDED = recorded("libvirt-nwfilter")
DROP = Verdict("drop")
MAC = 0x020000000031


@pytest.mark.parametrize("device", ["vnet1", "vnet2", "vnet3", "vnet4", "vnet5"])
def test_as_libvirt_made_them(device: str) -> None:
    made = installed(filters_of(RECORDED), binding(RECORDED, device))
    assert (made.missing, made.unknown) == ((), ())
    assert differences(made, *listed(RECORDED)) == ()


def test_all_at_once_and_nothing_else_is_there() -> None:
    bound = [binding(RECORDED, f"vnet{number}") for number in range(1, 6)]
    made = installed(filters_of(RECORDED), *bound)
    chains, rules = listed(RECORDED)
    assert len(made.rules) == len(rules)
    names = {(row.family, row.table, row.name) for row in chains}
    assert {(row.family, row.table, row.name) for row in made.chains} <= names
    hooked = {row.name: row for row in made.chains if row.hook}
    assert [hooked[name].priority for name in ("PREROUTING", "POSTROUTING")] == [-300, 300]
    places = [rule.place for rule in made.rules if rule.chain == "POSTROUTING"]
    assert places == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("learned", [{"IP": ("10.77.0.134",)}, {}])
def test_the_recorded_hypervisor(learned: dict[str, tuple[str, ...]]) -> None:
    """Of vnet9 the binding states no address: libvirt learned it."""
    documents = sorted(FIXTURES.glob("libvirt*/virsh-nwfilter-dumpxml-*.xml"))
    known = filters_of(snapshot(*documents))
    told = recorded("libvirt")
    for device, unknown in (("vnet8", ()), ("vnet9", () if learned else ("IP",))):
        made = installed(known, binding(told, device), learned=learned)
        assert (made.missing, made.unknown) == ((), unknown)
        assert differences(made, *listed(told)) == ()


def test_rules_cite_the_filters_they_come_of() -> None:
    made = installed(filters_of(RECORDED), binding(RECORDED, "vnet4"))
    texts = {rule.cite.source: rule for rule in made.rules if rule.chain.startswith("O-")}
    (source,) = texts
    assert RECORDED.sources[source].name == "virsh-nwfilter-dumpxml-allow-dhcp-server.xml"


def bound(text: str, device: str = "tap1", **known: tuple[str, ...]) -> tuple[Step, ...]:
    """The steps of the only rule of a filter ``f``, towards the guest or else from it."""
    row = NwBinding(cite=Cite(0, 1), device=device, filter="f", mac=None, parameters=())
    made = installed(filters(text), row, learned=known)
    (rule,) = (rule for rule in made.rules if rule.chain.startswith("libvirt-"))
    return rule.steps


def rule(match: str, action: str = "drop", direction: str = "in") -> str:
    opened = f"<rule action='{action}' direction='{direction}'>"
    return f"<filter name='f'>\n{opened}{match}</rule></filter>"


def is_(key: str, value: int | Span, op: str = "==", mask: int | None = None) -> Match:
    return Match((Field(key, mask),), ((value,),), op)  # type: ignore[arg-type]


IPV4, IPV6 = is_("ether type", 0x0800), is_("ether type", 0x86DD)
TEN = Span(10 << 24, (11 << 24) - 1)


@pytest.mark.parametrize(
    ("match", "steps"),
    [
        ("", ()),
        ("<mac protocolid='0x88b5'/>", (is_("ether type", 0x88B5),)),
        ("<mac match='no' srcmacaddr='$MAC'/>", (is_("ether saddr", MAC, "!="),)),
        ("<mac srcmacaddr='$OTHER'/>", (Unsure("ether saddr $OTHER"),)),
        ("<mac srcmacaddr='what'/>", (Opaque("srcmacaddr=what"),)),
        ("<mac news='1'/>", (Opaque("news=1"),)),
        ("<vlan vlanid='5'/>", (is_("ether type", 0x8100), is_("vlan id", 5))),
        ("<stp/>", (is_("ether daddr", 0x0180C2000000),)),
        ("<ip dscp='16'/>", (is_("ether type", 0x0800), is_("ip tos", 16))),
        (
            "<ip srcipaddr='10.0.0.1' srcipmask='255.0.0.0'/>",
            (is_("ether type", 0x0800), is_("ip saddr", Span(10 << 24, (11 << 24) - 1))),
        ),
        (
            "<ipv6 protocol='icmpv6' type='135'/>",
            (IPV6, is_("meta l4proto", 58), is_("icmpv6 type", 135)),
        ),
    ],
)
def test_one_rule_for_ebtables(match: str, steps: tuple[Step, ...]) -> None:
    assert bound(rule(match), MAC=("02:00:00:00:00:31",)) == (*steps, DROP)


def test_a_rule_for_both_ways_is_turned_round_from_the_guest() -> None:
    row = NwBinding(cite=Cite(0, 1), device="tap1", filter="f", parameters=())
    text = rule("<arp arpsrcipaddr='10.0.0.1'/>", direction="inout")
    made = installed(filters(text), row)
    found = {rule.chain: rule.steps[1] for rule in made.rules if rule.chain.startswith("libvirt")}
    assert found == {
        "libvirt-I-tap1": is_("arp daddr ip", 10 << 24 | 1),
        "libvirt-O-tap1": is_("arp saddr ip", 10 << 24 | 1),
    }


def test_ebtables_cannot_reject() -> None:
    assert bound(rule("", action="reject")) == (DROP,)
    assert bound(rule("", action="continue")) == ()
    assert bound(rule("", action="explode")) == (Opaque("action explode"),)


def test_a_filter_that_was_not_shown_and_one_that_refers_to_itself() -> None:
    text = "<filter name='f'><filterref filter='f'/><filterref filter='gone'/></filter>"
    row = NwBinding(cite=Cite(0, 1), device="tap1", filter="f")
    made = installed(filters(text), row)
    assert (made.chains, made.rules, made.missing) == ((), (), ("gone",))

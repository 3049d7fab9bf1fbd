"""Values in the words of nft."""

import pytest

from hopback.lab.nft.words import Unsayable, element, field, raw, value
from hopback.snapshot.rows import Field, Span


@pytest.mark.parametrize(
    ("key", "said", "words"),
    [
        ("ip saddr", 0x0A000001, "10.0.0.1"),
        ("ip6 saddr", 1, "::1"),
        ("ip daddr", Span(0x0A000000, 0x0A0000FF), "10.0.0.0-10.0.0.255"),
        ("ether saddr", 0x525400770021, "52:54:00:77:00:21"),
        ("meta iifname", "tap*", '"tap*"'),
        ("meta iif", 7, "7"),
        ("meta mark", 255, "0xff"),
        ("ether type", 0x0806, "0x806"),
        ("exthdr frag", 1, "exists"),
        ("fib saddr . iif oif", 0, "missing"),
        ("meta priority", 0x10005, "1:5"),
        ("meta pkttype", "otherhost", "other"),
        ("ct state", "new", "new"),
        ("tcp dport", 80, "80"),
    ],
)
def test_value_by_the_type_of_its_field(key: str, said: int | str | Span, words: str) -> None:
    assert value(key, said) == words


def test_elements_of_several_fields_are_joined() -> None:
    fields = (Field("ip saddr"), Field("tcp dport"))
    assert element(fields, (0x0A000001, 80)) == "10.0.0.1 . 80"
    assert element(fields, ("*", "*")) == "*"


def test_only_some_fields_have_a_place_in_a_header() -> None:
    assert raw("arp saddr ip") == "@nh,112,32"
    with pytest.raises(Unsayable, match="ct state"):
        raw("ct state")


@pytest.mark.parametrize("key", ["physdev in", "src"])
def test_what_only_iptables_asks_is_not_said(key: str) -> None:
    with pytest.raises(Unsayable, match=key):
        field(key)


def test_quotes_do_not_end_a_name() -> None:
    with pytest.raises(Unsayable):
        value("meta iifname", 'a" accept')
    with pytest.raises(Unsayable):
        value("ct state", "dnat")

"""Which leg the transmit hash picks.

The legs are those that Linux 6.1.176 chose of four, frame by frame, in balance-xor.
"""

import pytest

from hopback.datapath.bond_hash import POLICIES, transmit_hash
from hopback.datapath.kernel import CURRENT, behaviour_of
from hopback.frames.codec import decode
from hopback.frames.ethernet import Frame, Vlan
from hopback.frames.mac import Mac
from hopback.frames.raw import Raw

ADDRESSES = "020000000125 0200000001b9"
V4, V6 = "c0000201 c6336407", "20010db8000000000000000000000001 20010db80000000000000000000000f7"
SEEN = {
    "no IP": (f"88b5{bytes(46).hex()}", (1, 1, 1, 1)),
    "ARP": ("080600010800060400010200000001b9c0000201000000000000c6336401", (2, 2, 2, 1)),
    "UDP": (f"08004500001c0001000040110000{V4}1f90003500080000", (0, 1, 3, 1)),
    "TCP": (f"0800450000280001000040060000{V4}c3510050{bytes(16).hex()}", (0, 1, 3, 1)),
    "a fragment": (f"08004500001c0001200040110000{V4}1f90003500080000", (0, 1, 2, 1)),
    "an echo": (f"08004500001c0001000040010000{V4}0800000012340001", (0, 1, 1, 1)),
    "an echo of identifier 0": (f"08004500001c0001000040010000{V4}0800000000000001", (0, 1, 2, 1)),
    "an error about UDP": (
        f"0800450000380001000040010000{V4}03030000000000004500001c0002000040110000cb007109c00002011f90004300080000",
        (0, 0, 2, 1),
    ),
    "an error cut short": (
        f"0800450000240001000040010000{V4}03030000000000004500001c00020000",
        (0, 0, 0, 1),
    ),
    "ESP": (f"08004500001c0001000040320000{V4}0000100100000001", (0, 1, 2, 1)),
    "AH": (f"0800450000200001000040330000{V4}06040000000010010000000100000000", (0, 1, 2, 1)),
    "UDP over IPv6": (f"86dd6000000000081140{V6}1f90003500080000", (1, 1, 2, 1)),
    "an echo over IPv6": (f"86dd6000000000083a40{V6}8000000056780001", (1, 1, 0, 1)),
}


def frame(body: str) -> Frame:
    return decode(bytes.fromhex(ADDRESSES + body))


@pytest.mark.parametrize("name", SEEN)
def test_the_leg_that_the_kernel_chose(name: str) -> None:
    body, legs = SEEN[name]
    chosen = [transmit_hash(policy, frame(body), CURRENT) % 4 for policy in POLICIES]
    assert chosen == list(legs)


def test_a_tag_counts_for_vlan_and_source_alone() -> None:
    body, legs = SEEN["ARP"]
    tagged = decode(bytes.fromhex(ADDRESSES + "81000005" + body))
    chosen = [transmit_hash(policy, tagged, CURRENT) % 4 for policy in POLICIES]
    assert chosen == [*legs[:3], 0]


def test_before_5_15_ipv6_goes_by_the_other_leg_of_two() -> None:
    """The EtherType was taken as it stands in memory: 0xDD86 is even, 0x86DD odd."""
    old = behaviour_of("5.10.0-30-amd64")
    v6, v4 = frame(SEEN["UDP over IPv6"][0]), frame(SEEN["UDP"][0])
    assert transmit_hash("layer2", v6, CURRENT) % 2 != transmit_hash("layer2", v6, old) % 2
    assert transmit_hash("layer2", v4, CURRENT) % 2 == transmit_hash("layer2", v4, old) % 2


@pytest.mark.parametrize(
    ("release", "halved"),
    [("3.10.0", ()), ("5.4.0", ("layer2+3", "layer3+4")), ("6.1.0", ("layer3+4",))],
)
def test_whose_lowest_bit_is_dropped(release: str, halved: tuple[str, ...]) -> None:
    """Seen by what a lone bit of an address does to the number."""
    kernel = behaviour_of(release)
    body = SEEN["UDP"][0]
    plain, other = frame(body), frame(body.replace("c0000201", "c0000001"))
    for policy in ("layer2+3", "layer3+4"):
        mixed = transmit_hash(policy, plain, kernel) ^ transmit_hash(policy, other, kernel)
        whole = 0x0002_0202  # the bit, and what the folds by 16 and by 8 make of it
        assert mixed == (whole >> 1 if policy in halved else whole)


def test_what_is_no_number_of_ports_is_none() -> None:
    short = Frame(Mac(2), Mac(4), (Vlan(1), Vlan(2)), 0x0800, Raw(b""))
    assert transmit_hash("layer3+4", short, CURRENT) == 2 ^ 4 ^ 0x8100, "two tags hide what it is"

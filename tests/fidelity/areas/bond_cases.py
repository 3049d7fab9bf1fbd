"""Random bonds of taps, and the frames they get."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from random import Random

from hopback.frames.build import arp_request, dad_ns
from hopback.frames.checksum import checksum
from hopback.frames.codec import encode
from hopback.frames.mac import Mac, mac_to_bytes
from tests.fidelity.shrink import fewer, plainer
from tests.kernel.bond_rig import BOND, BOND_VID, LEG_VID, SLOW, BondConfig, leg_mac
from tests.kernel.bridge_rig import TEST_ETHERTYPE

FRAMES = 60
LEGS_MIN, LEGS_MAX = 2, 4
MODES = ("balance-rr", "active-backup", "balance-xor", "broadcast", "balance-tlb", "balance-alb")
POLICIES = ("layer2", "layer2+3", "layer3+4", "vlan+srcmac")
OWN_MAC = ("balance-tlb", "balance-alb")
"""Modes whose legs have addresses of their own."""

_LACP_SHARE = 0.03  # each of them takes the kernel a second or more to agree
_STATIONS = tuple(Mac(0x0200_0000_0100 + 37 * i) for i in range(6))
_GROUPS = (Mac(0xFFFF_FFFF_FFFF), Mac(0x0100_5E00_0001), Mac(0x3333_0000_0001))
_LINK_LOCAL = tuple(Mac(0x0180_C200_0000 + last) for last in (0, 1, 3, 0xE))
_SLOW_GROUP = Mac(0x0180_C200_0002)
_VIDS = (BOND_VID, LEG_VID, 9)
_LENGTHS = (46, 46, 300, 1480)
_VLAN = f"{BOND}.{BOND_VID}"


@dataclass(frozen=True)
class BondCase:
    """A bond, and frames by the leg they come in by or by the device that sends them."""

    bond: BondConfig
    frames: tuple[tuple[int | str, bytes], ...] = ()


_BROADCAST = bytes.fromhex("ffffffffffff0200000001009999") + bytes(46)
_MARKER = mac_to_bytes(_SLOW_GROUP) + bytes.fromhex("0200000001008809020102") + bytes(110)

ENUMERATED = (
    BondCase(
        BondConfig("balance-alb", active=0, bridged=True),
        ((1, mac_to_bytes(leg_mac(1)) + bytes.fromhex("02000000010088b5") + bytes(46)),),
    ),
    BondCase(BondConfig("balance-xor", down=(0, 1)), ((BOND, _BROADCAST),)),
    BondCase(BondConfig("802.3ad"), ((0, _MARKER), (BOND, _BROADCAST))),
    BondCase(BondConfig("802.3ad", 3, partners=(1, 1, 2)), ((2, _MARKER), (BOND, _BROADCAST))),
)
"""What chance meets seldom: an exchange of addresses, no leg at all, and who speaks LACP."""


def random_case(chance: Random) -> BondCase:
    """A bond in any mode, and ``FRAMES`` frames both ways."""
    bond = _lacp(chance) if chance.random() < _LACP_SHARE else _bond(chance)
    up = [leg for leg in range(bond.legs) if leg not in bond.down]
    return BondCase(bond, tuple(_frame(chance, bond, up, number) for number in range(FRAMES)))


def _bond(chance: Random) -> BondConfig:
    mode, legs = chance.choice(MODES), chance.randint(LEGS_MIN, LEGS_MAX)
    down = tuple(leg for leg in range(legs) if chance.random() < 0.15)
    up = [leg for leg in range(legs) if leg not in down]
    return BondConfig(
        mode,
        legs,
        chance.choice(POLICIES),
        chance.choice(up) if up and mode in ("active-backup", *OWN_MAC) else None,
        chance.random() < 0.2,
        down,
        chance.random() < 0.3,
    )


def _lacp(chance: Random) -> BondConfig:
    """Nobody speaks LACP, all legs go to one switch, or the last one goes to another."""
    legs = chance.randint(LEGS_MIN, LEGS_MAX)
    one, two = (1,) * legs, (1,) * (legs - 1) + (2,)
    partners: tuple[int | None, ...] = chance.choice(((), one, two))
    policy = chance.choice(POLICIES)
    return BondConfig("802.3ad", legs, policy, all_active=chance.random() < 0.2, partners=partners)


def _frame(chance: Random, bond: BondConfig, up: list[int], number: int) -> tuple[int | str, bytes]:
    """A frame of any class; its number makes it unlike all others of the case."""
    if up and chance.random() < 0.5:
        return chance.choice(up), _received(chance, bond, number)
    return chance.choice((BOND, BOND, _VLAN)), _sent(chance, number)


def _received(chance: Random, bond: BondConfig, number: int) -> bytes:
    body = number.to_bytes(4, "big").ljust(chance.choice(_LENGTHS), b"\0")
    source = mac_to_bytes(chance.choice(_STATIONS))
    kind = chance.random()
    if kind < 0.06:
        # A marker's answer: whoever speaks LACP keeps it to himself, and says nothing to it.
        marker = b"\x02\x01\x02" + body.ljust(110, b"\0")
        return mac_to_bytes(_SLOW_GROUP) + source + SLOW.to_bytes(2, "big") + marker
    if kind < 0.2:
        target, tag = chance.choice(_LINK_LOCAL), b""
    else:
        own = tuple(leg_mac(leg) for leg in range(bond.legs))
        target = chance.choice((*_STATIONS, *_GROUPS, *own, *own))
        tag = _tag(chance) if chance.random() < 0.2 else b""
    return mac_to_bytes(target) + source + tag + TEST_ETHERTYPE.to_bytes(2, "big") + body


def _tag(chance: Random) -> bytes:
    return b"\x81\x00" + (chance.randrange(8) << 13 | chance.choice(_VIDS)).to_bytes(2, "big")


def _sent(chance: Random, number: int) -> bytes:
    source, target = chance.choice(_STATIONS), chance.choice((*_STATIONS, *_GROUPS))
    kind = chance.random()
    if kind < 0.15:
        sender, asked = IPv4Address(0xC000_0201), IPv4Address(0xC612_0000 + number)
        return encode(arp_request(source, sender, asked))
    if kind < 0.2:
        return encode(dad_ns(source, IPv6Address((0xFE80 << 112) + number)))
    header = mac_to_bytes(target) + mac_to_bytes(source)
    if kind < 0.35:
        body = number.to_bytes(4, "big").ljust(46, b"\0")
        return header + TEST_ETHERTYPE.to_bytes(2, "big") + body
    if kind < 0.7:
        return header + b"\x08\x00" + _ipv4(chance, number)
    return header + b"\x86\xdd" + _ipv6(chance, number)


def _ipv4(chance: Random, number: int, *, quoted: bool = False) -> bytes:
    protocol = chance.choice((1, 1, 2, 6, 17, 17, 50, 51, 132, 47))
    payload = _payload(chance, protocol, number, quoted)
    fragment = chance.choice((0, 0, 0, 0x4000, 0x2000, 0x2001, 7))
    options = bytes(4 * chance.choice((0, 0, 0, 1)))
    length = 20 + len(options) + len(payload)
    first = 0x45 + len(options) // 4
    head = bytes((first, 0)) + length.to_bytes(2, "big") + number.to_bytes(2, "big")
    head += fragment.to_bytes(2, "big") + bytes((64, protocol)) + bytes(2)
    head += _address(chance, 4) + _address(chance, 4) + options
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + payload


def _ipv6(chance: Random, number: int, *, quoted: bool = False) -> bytes:
    protocol = chance.choice((6, 17, 17, 58, 58, 50, 132, 0))
    payload = _payload(chance, protocol, number, quoted)
    head = b"\x60" + number.to_bytes(3, "big") + len(payload).to_bytes(2, "big")
    source = bytes(16) if chance.random() < 0.1 else _address(chance, 16)
    return head + bytes((protocol, 64)) + source + _address(chance, 16) + payload


def _address(chance: Random, length: int) -> bytes:
    return b"\xc6" + chance.randbytes(length - 1)


def _payload(chance: Random, protocol: int, number: int, quoted: bool) -> bytes:
    """The ports, or an ICMP message, with the frame's number behind them."""
    if protocol not in (1, 58):
        return chance.randbytes(chance.choice((8, 20, 20))) + number.to_bytes(4, "big")
    kinds = (0, 3, 5, 8, 11, 13) if protocol == 1 else (1, 2, 128, 129, 133, 135, 136)
    kind = chance.choice(kinds)
    head = bytes((kind, chance.randrange(3))) + chance.randbytes(2)
    head += chance.choice((bytes(2), chance.randbytes(2))) + number.to_bytes(2, "big")
    if quoted:
        return head
    inner = _ipv4 if protocol == 1 else _ipv6
    return head + inner(chance, number, quoted=True)[: chance.choice((10, 28, 60))]


def smaller_case(case: BondCase) -> Iterator[BondCase]:
    """Fewer frames and legs, then a plainer bond."""
    for frames in fewer(case.frames):
        yield replace(case, frames=frames)
    for bond in plainer(case.bond):
        legs = {at for at, _ in case.frames if isinstance(at, int)}
        possible = (bond.active is not None) == (case.bond.active is not None)
        if possible and max(legs, default=0) < bond.legs and len(bond.down) < bond.legs:
            yield replace(case, bond=bond)

"""A rule of arptables (arptables(8)), from its options to its steps."""

from collections.abc import Callable, Sequence
from types import MappingProxyType

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Mangle, Opaque, Step
from hopback.sources.parse.xt.base import device_step, network_step
from hopback.sources.parse.xt.bridge_rule import ether_type
from hopback.sources.parse.xt.names import ARP_OPERATIONS
from hopback.sources.parse.xt.targets import VERDICTS, Where, target_steps
from hopback.sources.parse.xt.values import address, mac_pair, match, number
from hopback.sources.parse.xt.words import Option, said

_Reader = Callable[[Option], tuple[Step, ...]]


def _mac(key: str) -> _Reader:
    def read(option: Option) -> tuple[Step, ...]:
        value, mask = mac_pair(option.value)
        return (match(key, value, negated=option.negated, mask=mask),)

    return read


def _number(key: str, largest: int, names: dict[str, int]) -> _Reader:
    def read(option: Option) -> tuple[Step, ...]:
        known = names.get(option.value.lower())
        value = number(option.value, largest) if known is None else known
        return (match(key, value, negated=option.negated),)

    return read


def _device(key: str) -> _Reader:
    """``-v`` shows any device as ``*``."""
    return lambda option: () if option.values == ("*",) else device_step(key, option)


def _network(key: str) -> _Reader:
    return lambda option: (network_step(key, option, six=False),)


def _type(option: Option) -> tuple[Step, ...]:
    return (match("arp ptype", ether_type(option.value), negated=option.negated),)


_READERS: MappingProxyType[str, _Reader] = MappingProxyType(
    {
        **dict.fromkeys(("-i", "--in-interface"), _device("meta iifname")),
        **dict.fromkeys(("-o", "--out-interface"), _device("meta oifname")),
        **dict.fromkeys(("-s", "--src-ip", "--source-ip"), _network("arp saddr ip")),
        **dict.fromkeys(("-d", "--dst-ip", "--destination-ip"), _network("arp daddr ip")),
        **dict.fromkeys(("--src-mac", "--source-mac"), _mac("arp saddr ether")),
        **dict.fromkeys(("--dst-mac", "--destination-mac"), _mac("arp daddr ether")),
        "--h-length": _number("arp hlen", 255, {}),
        "--h-type": _number("arp htype", 0xFFFF, {"ethernet": 1}),
        "--opcode": _number("arp operation", 0xFFFF, ARP_OPERATIONS),
        "--proto-type": _type,
    }
)
_MANGLED: dict[str, tuple[str, Callable[[str], int]]] = {
    "--mangle-ip-s": ("arp saddr ip", address),
    "--mangle-ip-d": ("arp daddr ip", address),
    "--mangle-mac-s": ("arp saddr ether", parse_mac),
    "--mangle-mac-d": ("arp daddr ether", parse_mac),
}


def arp_steps(options: Sequence[Option]) -> tuple[Step, ...]:
    """The steps of a rule without its ``-A CHAIN``; the target may stand before the matches.

    Never raises: what is not known is opaque.
    """
    plain: list[Step] = []
    rest: list[Option] = []
    target: Option | None = None
    for option in options:
        if option.name in ("-j", "--jump"):
            target = option
        elif option.name not in _READERS:
            rest.append(option)
        else:
            try:
                plain += _READERS[option.name](option)
            except ValueError:
                plain.append(Opaque(str(option)))
    if target is None:
        return (*plain, *((Opaque(said(rest)),) if rest else ()))
    return (*plain, *_target(target, rest))


def _target(target: Option, rest: Sequence[Option]) -> tuple[Step, ...]:
    name = " ".join(target.values)
    if name == "mangle":
        try:
            return _mangle(rest)
        except (KeyError, ValueError):
            return (Opaque(said((target, *rest))),)
    if name == "CONTINUE":
        return ()
    return target_steps(target, rest, Where(six=False))


def _mangle(rest: Sequence[Option]) -> tuple[Step, ...]:
    steps: list[Step] = []
    last = "ACCEPT"
    for option in rest:
        if option.name == "--mangle-target":
            last = option.value
        else:
            key, read = _MANGLED[option.name]
            steps.append(Mangle(key, read(option.value)))
    return (*steps, *(() if last == "CONTINUE" else (VERDICTS[last],)))

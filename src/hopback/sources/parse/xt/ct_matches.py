"""Matches of iptables on the packet's connection (net/netfilter/xt_conntrack.c)."""

from types import MappingProxyType

from hopback.snapshot.rows import Step
from hopback.sources.parse.xt.base import About, Reader, network_step
from hopback.sources.parse.xt.values import match, ports, protocol
from hopback.sources.parse.xt.words import Option

_STATES = frozenset(("invalid", "new", "established", "related", "untracked", "snat", "dnat"))


def _state(option: Option, about: About) -> tuple[Step, ...]:
    """SNAT and DNAT stay among the states: unlike status bits they are asked of every packet."""
    words = option.value.lower().split(",")
    if not set(words) <= _STATES:
        raise ValueError(f"not states: {option.value!r}")
    return (match("ct state", *words, negated=option.negated, op="has"),)


_STATUS = {
    "EXPECTED": "expected",
    "SEEN_REPLY": "seen-reply",
    "ASSURED": "assured",
    "CONFIRMED": "confirmed",
}


def _status(option: Option, about: About) -> tuple[Step, ...]:
    words = option.value.split(",")
    if not set(words) <= _STATUS.keys():
        raise ValueError(f"not status bits: {option.value!r}")
    return (match("ct status", *(_STATUS[w] for w in words), negated=option.negated, op="has"),)


def _ct_address(way: str, end: str) -> Reader:
    def read(option: Option, about: About) -> tuple[Step, ...]:
        return (network_step(f"ct {way} {about.ip} {end}", option, about.six),)

    return read


def _ct_port(way: str, end: str) -> Reader:
    def read(option: Option, about: About) -> tuple[Step, ...]:
        return (match(f"ct {way} {end}", ports(option.value), negated=option.negated),)

    return read


def _ct_protocol(option: Option, about: About) -> tuple[Step, ...]:
    return (match("ct original protocol", protocol(option.value), negated=option.negated),)


def _ct_direction(option: Option, about: About) -> tuple[Step, ...]:
    word = {"ORIGINAL": "original", "REPLY": "reply"}.get(option.value)
    if word is None:
        raise ValueError(f"not a direction: {option.value!r}")
    return (match("ct direction", word, negated=option.negated),)


_ENDS = (("src", "saddr"), ("dst", "daddr"))
_WAYS = (("orig", "original"), ("repl", "reply"))

CONNTRACK: MappingProxyType[str, Reader] = MappingProxyType(
    {
        "--ctstate": _state,
        "--ctstatus": _status,
        "--ctdir": _ct_direction,
        "--ctproto": _ct_protocol,
        **{f"--ct{w}{e}": _ct_address(way, end) for w, way in _WAYS for e, end in _ENDS},
        **{f"--ct{w}{e}port": _ct_port(way, f"proto-{e}") for w, way in _WAYS for e, _ in _ENDS},
    }
)
"""The options of ``-m conntrack``."""

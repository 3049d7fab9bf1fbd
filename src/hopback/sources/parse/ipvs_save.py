"""Services and servers as the options of ipvsadm: ``ipvsadm -Sn``, scripts, typed commands."""

from collections.abc import Iterator, Sequence
from typing import Any

from hopback.snapshot.rows import IpvsMethod, IpvsServer, IpvsService, Row
from hopback.snapshot.table import Cite
from hopback.sources.parse.fields import int_or_none
from hopback.sources.parse.ipvs_names import endpoint

_LONG = {
    "--add-service": "-A", "--edit-service": "-E", "--add-server": "-a", "--edit-server": "-e",
    "--tcp-service": "-t", "--udp-service": "-u", "--fwmark-service": "-f", "--ipv6": "-6",
    "--scheduler": "-s", "--persistent": "-p", "--netmask": "-M", "--real-server": "-r",
    "--gatewaying": "-g", "--ipip": "-i", "--masquerading": "-m", "--weight": "-w",
    "--ops": "-o", "--sched-flags": "-b", "--u-threshold": "-x",
}  # fmt: skip
_SERVICE, _SERVER = frozenset({"-A", "-E"}), frozenset({"-a", "-e"})
_KINDS = {"-t": "tcp", "-u": "udp", "--sctp-service": "sctp"}
_METHODS: dict[str, IpvsMethod] = {"-g": "route", "-i": "tunnel", "-m": "masq"}
_SWITCHES = frozenset({*_SERVICE, *_SERVER, *_METHODS, "-6", "-o", "-n"})
# What ipvsadm takes where an option is left out (IPVS_SVC_PERSISTENT_TIMEOUT, DEF_SCHED).
_DEFAULT_TIMEOUT = 360
_DEFAULT_SCHEDULER = "wlc"


def save_row(words: Sequence[str], cite: Cite, netns: str = "") -> Row | None:
    """The row that the options tell (with or without ``ipvsadm`` before them); None if no one."""
    options = dict(_options(words))
    service = _service(options)
    common: dict[str, Any] = {"cite": cite, "netns": netns}
    if service is None:
        return None
    if not _SERVICE.isdisjoint(options):
        return IpvsService(**common, **service, **_settings(options))
    server = endpoint(options.get("-r", ""))
    if _SERVER.isdisjoint(options) or server is None:
        return None
    method: IpvsMethod = next(
        (name for option, name in _METHODS.items() if option in options), "route"
    )
    return IpvsServer(
        **common,
        **service,
        server=server.address,
        server_port=server.port or service.get("port", 0),
        method=method,
        weight=int_or_none(options.get("-w", "1")),
        tunnel=options.get("--tun-type", "ipip") if method == "tunnel" else None,
        tunnel_port=int_or_none(options.get("--tun-port")),
        upper=int_or_none(options.get("-x")),
    )


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each option by its short name, with the word that follows if that is no option."""
    name = ""
    for word in words:
        if (word.startswith("-") and not word[1:].isdecimal()) or word == "-6":
            long, _, value = word.partition("=")
            name = _LONG.get(long, long)
            yield name, value
        elif name and name not in _SWITCHES:
            yield name, word
            name = ""


def _service(options: dict[str, str]) -> dict[str, Any] | None:
    if "-f" in options:
        mark = int_or_none(options["-f"])
        family = 6 if "-6" in options else 4
        return None if mark is None else {"protocol": "fwmark", "family": family, "mark": mark}
    for option, protocol in _KINDS.items():
        if found := endpoint(options.get(option, "")):
            address, family, port = found
            return {"protocol": protocol, "family": family, "address": address, "port": port}
    return None


def _settings(options: dict[str, str]) -> dict[str, Any]:
    """``-p`` without a number takes ipvsadm's own, and so does the scheduler."""
    flags = [flag for flag in options.get("-b", "").split(",") if flag]
    persistent = int_or_none(options.get("-p") or str(_DEFAULT_TIMEOUT))
    return {
        "scheduler": options.get("-s") or _DEFAULT_SCHEDULER,
        "persistent": persistent if "-p" in options else 0,
        "netmask": options.get("-M") or None,
        "flags": tuple(["ops"] * ("-o" in options) + flags),
    }

"""``wg show``, ``wg show all dump``, ``wg showconf``: devices and peers, and no secrets."""

import io

import pytest

from hopback.snapshot.quote import quote
from hopback.snapshot.rows import Tunnel, WireguardPeer
from hopback.sources.parse import wg
from hopback.sources.parse.base import Parsed
from hopback.sources.paste import read_paste
from hopback.sources.secrets import without_secrets
from tests.sources.parse.given import facts, listing, recorded, rows

OWN, OTHER = "Js6m5mfGCDs4ED2CRTSvvAHHVlBNCjeMYDqV52MlxSQ=", "a" * 42 + "E="
SECRET = "s" * 42 + "E="


def read(name: str, command: str | None = None) -> Parsed:
    parsed = wg.parse(recorded(f"tunnels/{name}", command))
    assert not parsed.problems
    return parsed


def told(parsed: Parsed, dev: str) -> list[dict[str, object]]:
    return [facts(row) for row in parsed.rows if row.dev == dev]  # type: ignore[attr-defined]


def test_recorded() -> None:
    parsed = read("wg-show.txt")
    devices = {row.dev: (row.kind, row.port, row.mark) for row in rows(parsed, Tunnel)}
    assert devices == {"wg0": ("wireguard", 51820, 0xCA6C), "wg1": ("wireguard", 40523, 0)}
    first, second, third = rows(parsed, WireguardPeer)
    assert (first.endpoint, first.port) == ("198.51.100.7", 51820)
    assert first.allowed == ("0.0.0.0/0", "::/0")
    assert (second.endpoint, second.allowed) == ("", ("10.7.0.2/32", "2001:db8:7::/64"))
    assert (third.dev, third.endpoint, third.allowed) == ("wg1", "2001:db8::9", ())


def test_dialects_tell_the_same() -> None:
    shown = read("wg-show.txt")
    dumped = read("wg-show-all-dump.txt")
    written = read("wg-showconf-wg0.txt", "wg showconf wg0")
    assert told(written, "wg0") == told(shown, "wg0")
    for dev in ("wg0", "wg1"):
        assert told(dumped, dev) == told(shown, dev)


def test_a_configuration_of_wg_quick() -> None:
    text = f"""
        [Interface]
        Address = 10.8.0.2/24
        FwMark = 51820
        [Peer] # hub
        PublicKey={OTHER}
        AllowedIPs = 10.8.0.0/24
        AllowedIPs = 10.9.0.0/16
        Endpoint = hub.example:51820
    """
    parsed = wg.parse(listing(text, "cat /etc/wireguard/vpn.conf", strict=False))
    (device,) = rows(parsed, Tunnel)
    (peer,) = rows(parsed, WireguardPeer)
    assert (device.dev, device.mark) == ("vpn", 51820)
    assert (peer.endpoint, peer.allowed) == (None, ("10.8.0.0/24", "10.9.0.0/16"))


def test_of_which_device_is_a_problem() -> None:
    parsed = wg.parse(listing("[Interface]\nListenPort = 7\n"))
    assert [problem.message for problem in parsed.problems] == ["of which device: '[Interface]'"]


@pytest.mark.parametrize(
    "line",
    [
        f"  private key: {SECRET}",
        f"  preshared key: {SECRET}",
        f"PrivateKey = {SECRET}",
        f"PresharedKey={SECRET}",
        f"private-key={SECRET}",
        f"wg0\t{SECRET}\t{OWN}\t51820\toff",
        f"{SECRET}\t{OWN}\t51820\t0xca6c",
        f"{SECRET} {OWN} 51820 0xca6c",
        f"wg0\t{OWN}\t{SECRET}\t198.51.100.7:51820\t0.0.0.0/0,::/0\t0\t0\t0\t25",
        f"{OWN}\t{SECRET}\t(none)\t(none)\t0\t0\t0\toff",
    ],
)
def test_a_secret_key_gets_nowhere(line: str) -> None:
    blanked = without_secrets(line)
    assert SECRET not in blanked
    assert "(hidden)" in blanked
    assert (OWN in blanked) == (OWN in line)
    paste = f"host# wg show all dump\n{line}\nhost# wg showconf wg0\n[Interface]\n{line}\n"
    for snapshot in read_paste(io.BytesIO(paste.encode()), "paste"):
        assert SECRET not in repr(snapshot)


@pytest.mark.parametrize("line", ["  auth_pass hush", '\tauth_pass "hush hush" # of VI_1'])
def test_a_password_of_vrrp_gets_nowhere(line: str) -> None:
    assert "hush" not in without_secrets(line)
    assert without_secrets("auth_type PASS") == "auth_type PASS"


def test_a_public_key_stays() -> None:
    for line in (f"peer: {OWN}", f"PublicKey = {OWN}", f"  public key: {OWN}"):
        assert without_secrets(line) == line


def test_what_is_quoted_has_no_secret() -> None:
    text = f"host# wg show wg0 dump\n{SECRET}\t{OWN}\t51820\toff\n"
    (snapshot,) = read_paste(io.BytesIO(text.encode()), "paste")
    (row,) = snapshot.table(Tunnel).rows
    assert quote(snapshot, row.cite) == f"(hidden)\t{OWN}\t51820\toff"

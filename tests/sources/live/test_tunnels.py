"""Tunnels as the kernel tells them, against what ``ip -d -j link`` prints of the same devices."""

import json
import subprocess
import sys

import pytest

from hopback.lab.uml.boot import run
from hopback.snapshot.rows import Tunnel
from hopback.sources.live import read
from hopback.sources.parse import ip_link
from tests.kernel.uml import needs_uml
from tests.sources.parse.given import facts, listing, rows

DEVICES = (
    "d0 type dummy",
    "a0 type ipip local 192.0.2.1 remote 198.51.100.1 dev d0",
    "a1 type ipip local 192.0.2.1 remote 198.51.100.2 ttl 64 tos 0x10 fwmark 0x33",
    "a2 type ipip remote 198.51.100.3 tos inherit nopmtudisc",
    "b0 type gre local 192.0.2.1 remote 198.51.100.3 key 5",
    "b1 type gre local 192.0.2.1 remote 198.51.100.3 ikey 1 okey 2 seq csum ttl 255",
    "b2 type gretap remote 198.51.100.4 nopmtudisc ignore-df",
    "b3 type gretap external",
    "c0 type sit local 192.0.2.1 remote 198.51.100.5 ttl 64",
    "e0 type ip6tnl local 2001:db8::1 remote 2001:db8:1::1 mode any dev d0",
    "e1 type ip6tnl remote 2001:db8:1::2 encaplimit none hoplimit 32 tclass inherit fwmark 7",
    "f0 type ip6gre local 2001:db8::1 remote 2001:db8:1::3 key 9 tclass 0x20",
    "f1 type ip6gretap local 2001:db8::1 remote 2001:db8:1::4 hoplimit 0",
)


@needs_uml
@pytest.mark.timeout(120)
def test_settings() -> None:
    done = run([sys.executable, "-m", __name__], seconds=110)
    assert done.code == 0, done.errors.decode()
    live, printed = json.loads(done.output)
    assert live == printed
    assert {"a2", "b1", "b3", "e1", "f1"} <= live.keys()


def main() -> None:
    """Inside: what both ways tell of each tunnel."""
    lines = "\n".join(f"link add {device}" for device in DEVICES)
    subprocess.run(["ip", "-batch", "-"], input=lines, text=True, check=True)
    command = ["ip", "-d", "-j", "link", "show"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    parsed = ip_link.parse(listing(printed, " ".join(command)))
    told = {row.dev: facts(row) for row in rows(parsed, Tunnel)}
    live = {row.dev: facts(row) for row in read().table(Tunnel).rows}
    sys.stdout.write(json.dumps([_lasting(live), _lasting(told)]))


def _lasting(found: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """Without a mark of 0, which ip leaves out."""
    return {
        dev: {name: value for name, value in said.items() if (name, value) != ("mark", 0)}
        for dev, said in found.items()
    }


if __name__ == "__main__":
    main()

"""How a fix is set out."""

from hopback.findings import Fix, FixFile, Persistence
from hopback.render.fixes import say_fix, say_persistence
from hopback.render.page import Page, plain

FIX = Fix(
    name="port_filter",
    host="h1",
    commands=("nft -f /run/x.nft",),
    undo=("nft delete table bridge x",),
    afterwards=("ip addr del A dev eth0",),
    proved=True,
    safe=False,
    keeps=("VM to floating IP",),
    limits="guests that spoof",
    files=(FixFile("/run/x.nft", "table bridge x {\n}\n"),),
    persistence=(Persistence("nftables", ("include /run/x.nft",)),),
    blast_radius="web1 alone",
)


def test_everything_it_says() -> None:
    page = Page()
    say_fix(page, FIX, 2)
    say_persistence(page, FIX.persistence, 4)
    assert plain(page.lines).splitlines() == [
        "  Fix: port_filter on h1 (proved in the model, may cut traffic)",
        "    with /run/x.nft:",
        "      table bridge x {",
        "      }",
        "    $ nft -f /run/x.nft",
        "    to undo:",
        "    $ nft delete table bridge x",
        "    then, in the guest:",
        "    - ip addr del A dev eth0",
        "    touches: web1 alone",
        "    goes on working: VM to floating IP",
        "    does not mend: guests that spoof",
        "    to keep it across a reboot, with nftables:",
        "      include /run/x.nft",
    ]

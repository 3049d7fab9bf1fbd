"""What several listings of IPVS on one host say together."""

from hopback.network.directing import key_of, server_key_of, together
from hopback.snapshot.rows import IpvsServer, IpvsService
from hopback.snapshot.table import Cite


def service(line: int, *flags: str, persistent: int | None, mask: str | None = None) -> IpvsService:
    return IpvsService(
        cite=Cite(0, line),
        protocol="tcp",
        address="192.0.2.100",
        port=80,
        persistent=persistent,
        netmask=mask,
        flags=flags,
    )


def test_the_time_that_the_last_listing_does_not_tell() -> None:
    told, ticks = service(1, persistent=300), service(2, "persistent", persistent=None)
    (found,) = together([told, ticks], key_of).values()
    assert (found.persistent, found.cite.line) == (300, 2)
    (found,) = together([told, service(2, persistent=0)], key_of).values()
    assert found.persistent == 0


def test_a_mask_that_is_gone_is_gone() -> None:
    narrow, whole = service(1, persistent=300, mask="255.255.255.0"), service(2, persistent=300)
    (found,) = together([narrow, whole], key_of).values()
    assert found.netmask is None


def test_two_spellings_of_one_server() -> None:
    one, other = (
        IpvsServer(
            cite=Cite(0, 1),
            protocol="tcp",
            family=6,
            address=address,
            port=80,
            server=server,
            server_port=80,
            method="route",
        )
        for address, server in (
            ("2001:db8::100", "2001:DB8::21"),
            ("2001:db8:0::100", "2001:db8::21"),
        )
    )
    assert len(together([one, other], server_key_of)) == 1

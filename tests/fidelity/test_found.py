"""Cases in which a kernel once did something else than the model; none may come back."""

import pytest

from tests.fidelity.areas.bridge import AREA as BRIDGE
from tests.fidelity.areas.bridge_cases import BridgeCase
from tests.fidelity.areas.netfilter import AREA as NETFILTER
from tests.fidelity.areas.netfilter_cases import NetfilterCase
from tests.fidelity.areas.netfilter_frames import Arrival
from tests.fidelity.areas.netfilter_text import ChainText, TableText
from tests.fidelity.run import assert_agree
from tests.kernel.bridge_rig import PortConfig, Settings
from tests.kernel.tap import TUN

pytestmark = pytest.mark.kernel(TUN)


def test_a_port_may_forward_bpdus_while_the_bridge_runs_stp() -> None:
    """Bit 0 of a port's group_fwd_mask is looked at too (br_input.c:br_handle_frame)."""
    case = BridgeCase(
        ports=(PortConfig(group_fwd_mask=1), PortConfig()),
        settings=Settings(stp=True),
        frames=((0, bytes.fromhex("0180c200000002000000010388b500000004")),),
    )
    assert_agree(BRIDGE, case)


@pytest.mark.parametrize(
    "rule",
    [
        "meta nfproto { ipv4, ipv6 } ip6 hoplimit set 9",
        "@nh,64,8 set 9",
        "meta nfproto ipv4 th dport set 9",
    ],
)
@pytest.mark.parametrize("hook", ["prerouting", "forward"])
def test_bytes_that_nft_has_no_name_for_are_written_without_a_checksum(
    rule: str, hook: str
) -> None:
    """nft_payload.c:nft_payload_set_eval: csum_type 0, and a router takes from what is there."""
    head = f"type filter hook {hook} priority 300; policy accept;"
    table = TableText(family="inet", name="t", chains=(ChainText("c", head, (rule,)),))
    frame = (
        "02bb0000000102000000010408004500002800074000400626c20a0000040a000004"
        "ab1d0050000003e8000000005002ffffec850000"
    )
    arrival = Arrival(tap="lp1", frame=bytes.fromhex(frame))
    assert_agree(NETFILTER, NetfilterCase(tables=(table,), routed=(arrival,)))

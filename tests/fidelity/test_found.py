"""Cases in which a kernel once did something else than the model; none may come back."""

import pytest

from tests.fidelity.areas.bridge import AREA as BRIDGE
from tests.fidelity.areas.bridge_cases import BridgeCase
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

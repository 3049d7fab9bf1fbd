"""A station's own probe: its address, and the ways on which it would hear itself."""

import pytest

from hopback.datapath.model import model_of
from hopback.engines.probe import ProbeKind, probe
from hopback.network.build import build
from hopback.sources.open import open_source
from tests.reconstructions import RING


@pytest.mark.parametrize("kind", ["ARP", "NS"])
def test_only_a_returning_way_out_lets_the_station_hear_itself(kind: ProbeKind) -> None:
    model = model_of(build(open_source(str(RING)).snapshots))
    (station,) = model.network.stations
    sent = probe(model, station, kind)
    ((way, echo),) = sent.echoes
    assert sent.trace.end("returned") is None
    assert way.name == "luplink0"
    assert echo.end("returned") is not None

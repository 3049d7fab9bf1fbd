"""The table broute of ebtables (legacy): frames that are routed, not bridged."""

from tests.fidelity.areas.filter import FilterArea

AREA = FilterArea("broute", frozenset({"brouted"}), brouting=True)

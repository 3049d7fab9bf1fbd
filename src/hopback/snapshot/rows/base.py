"""What every row has."""

from msgspec import Struct

from hopback.snapshot.table import Cite


class Row(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What every row has."""

    cite: Cite
    netns: str = ""

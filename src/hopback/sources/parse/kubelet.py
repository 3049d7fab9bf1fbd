"""What kubelet says of hairpin when it starts: the mode that is in force for the pods' ports.

``Hairpin mode set to "hairpin-veth"`` (pkg/kubelet/kubelet.go:NewMainKubelet, 1.2 to 1.6;
dockershim/docker_service.go after it, to 1.20). Where what was asked for is not possible another
message with these words goes before it, which says what it falls back to.
"""

import re
from typing import cast

from hopback.snapshot.rows import HairpinMode, HairpinModeName, Row
from hopback.sources.parse.base import Parsed, Text

COMMANDS: tuple[tuple[str, ...], ...] = (("journalctl", "kubelet|kubelet.service"),)
_SET = re.compile(
    r'(?:[^"]{0,200}[\s\]])?Hairpin mode set to '
    r'"(?P<mode>none|hairpin-veth|promiscuous-bridge)"\s*\Z'
)
SHAPE: re.Pattern[str] | None = _SET
FILLS: tuple[type[Row], ...] = ()


def parse(text: Text) -> Parsed:
    """One row for each time that it was set. All else that kubelet logs is no problem."""
    return Parsed(
        [
            HairpinMode(
                cite=text.cite(index),
                netns=text.netns,
                mode=cast(HairpinModeName, found["mode"]),
            )
            for index, line in text.numbered()
            if (found := _SET.match(line))
        ]
    )

"""What keepalived logs of its VRRP instances."""

import re

from hopback.snapshot.rows import VrrpEvent, VrrpState
from hopback.sources.parse.base import Text
from hopback.sources.parse.log_time import log_time

_NAME = r"(?:\bVRRP_Instance)?\((?P<name>[^()]{1,64})\):? "

# keepalived/vrrp/vrrp.c and vrrp_scheduler.c: "VRRP_Instance" in front up to 1.4; "Transition to"
# comes one interval before "Entering", which some leave out of what they show.
_ENTERS = re.compile(
    rf"{_NAME}(?:[Ee]ntering|Transition to|Now in) (?P<state>MASTER|BACKUP|FAULT) (?i:state)"
)
# Only a master sends advertisements: whoever hears one while it is master itself is not alone.
# vrrp_state_master_rx; "prio" up to 1.2, no address up to 1.4.
_MASTER_HEARS = re.compile(
    rf"{_NAME}(?:Master )?[Rr]eceived (?:advert (?:from (?P<peer>\S+) )?with (?:higher|lower|same)"
    r" priority \d|(?:higher|lower) prio advert)"
)
# vrrp_state_backup; 2.0 and later
_BACKUP_HEARS = re.compile(rf"{_NAME}received lower priority \(\d+\) advert from (?P<peer>\S+)")

VRRP = (
    r"\([^()]{1,64}\):? (?:[Ee]ntering (?:MASTER|BACKUP|FAULT) |Transition to |Now in "
    r"|(?:Master )?[Rr]eceived (?:advert|lower prio|higher prio))"
)
"""How each of these messages looks in a line, at a glance."""

_WORDS = ("STATE", "state", "advert")
_STATES: dict[str, VrrpState] = {"MASTER": "master", "BACKUP": "backup", "FAULT": "fault"}


def vrrp_event(text: Text, index: int, line: str) -> VrrpEvent | None:
    """The row of the message in a line; None if there is none."""
    if not any(
        word in line for word in _WORDS
    ):  # a log is long, and most of it is not keepalived's
        return None
    if match := _ENTERS.search(line):
        return _event(text, index, match, _STATES[match["state"]])
    if match := _MASTER_HEARS.search(line):
        return _event(text, index, match, "master", match["peer"] or "")
    if match := _BACKUP_HEARS.search(line):
        return _event(text, index, match, "backup", match["peer"])
    return None


def _event(
    text: Text, index: int, match: re.Match[str], state: VrrpState, heard: str | None = None
) -> VrrpEvent:
    return VrrpEvent(
        cite=text.cite(index),
        netns=text.netns,
        name=match["name"],
        state=state,
        heard=heard,
        at=log_time(match.string[: match.start()]),
    )

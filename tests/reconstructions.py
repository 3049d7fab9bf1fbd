"""The incidents that are told in this project's own words, and what becomes of them when mended."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
PASTE = ROOT / "tests/fixtures/incident-b/paste.txt"
RING = ROOT / "tests/fixtures/incident-b/ring.txt"
RECONSTRUCTIONS = (PASTE, RING)

_MISPLACED = "  1\tfa:16:3e:56:ea:fa"
_AT_HOME = "  6\tfa:16:3e:56:ea:fa"


def healthy_paste() -> str:
    """Incident B before anything went wrong: the entry at home, no kernel message."""
    lines = PASTE.read_text().replace(_MISPLACED, _AT_HOME).splitlines(keepends=True)
    return "".join(line for line in lines if "own address" not in line)


def healthy_ring() -> str:
    """The ring's host with whole tables, the guest's entry at home, and nothing captured."""
    text = RING.read_text().partition("root@kvm1:~# tcpdump")[0]
    return text.replace("  2\t52:54:00:00:00:11", "  1\t52:54:00:00:00:11").replace(
        "52:54:00:00:00:11 dev luplink0", "52:54:00:00:00:11 dev lvnet0"
    )

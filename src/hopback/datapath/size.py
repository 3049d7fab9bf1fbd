"""What a device takes by its MTU (include/linux/netdevice.h:__is_skb_forwardable, Linux 6.12)."""

from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame

_HEADER, _TAG = 14, 4


def length(frame: Frame) -> int:
    """The frame's bytes as a device counts them: its outer tag travels beside it (skb->len)."""
    return len(encode(frame)) - (_TAG if frame.tags else 0)


def fits(size: int, mtu: int | None) -> bool:
    """Whether a frame of that ``length`` fits the MTU (bytes; None: nobody told it)."""
    return mtu is None or size <= mtu + _HEADER + _TAG

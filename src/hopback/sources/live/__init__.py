"""This host, read live through raw netlink and /proc."""

from hopback.sources.live.host import read

__all__ = ["read"]

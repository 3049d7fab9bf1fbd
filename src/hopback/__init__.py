"""hopback finds the packets that come back on Linux virtual networks."""

__version__ = "0.1.0"

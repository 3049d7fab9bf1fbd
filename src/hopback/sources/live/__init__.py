"""This host, read live through raw netlink: ``read.read`` makes the snapshot."""

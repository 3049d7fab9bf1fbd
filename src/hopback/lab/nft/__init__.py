"""Rows of packet filters as commands of nft(8), whatever tool they were listed by."""

"""The language of nftables: text and JSON become one tree, and the tree becomes rows.

The tree is that of libnftables-json(5): ``nft -j`` prints it, and ``statements`` makes it of text.
"""

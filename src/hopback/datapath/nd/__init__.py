"""What a station does with neighbour discovery, ARP and duplicate detection."""

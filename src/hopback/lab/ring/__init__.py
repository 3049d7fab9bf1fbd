"""Directors that pass a packet round, rebuilt: pure plans, and what was seen beside the model."""

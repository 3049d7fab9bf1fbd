"""Networks rebuilt on a real kernel, away from everything that matters."""

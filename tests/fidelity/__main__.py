"""``python -m tests.fidelity``: see ``--help``, and ``make fidelity``."""

from tests.fidelity.command import main

main()

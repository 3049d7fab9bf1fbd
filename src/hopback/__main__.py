"""``python -m hopback``."""

from hopback.cli.main import main

main(prog_name="hopback")

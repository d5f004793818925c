"""``python -m nodevms.cli``."""

from nodevms.cli import main

main(prog_name="nodevms")

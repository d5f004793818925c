"""``python -m nodevms``."""

from nodevms.cli import main

main(prog_name="nodevms")

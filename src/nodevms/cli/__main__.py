"""``python -m nodevms.cli``."""

from nodevms.cli import main

main()

"""The command line."""


def main() -> None:
    """Run the ``nodevms`` command."""

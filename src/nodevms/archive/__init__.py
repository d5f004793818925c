"""The files: the authenticated state and the Dat drive that publishes it (hyperdrive)."""

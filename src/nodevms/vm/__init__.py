"""One backend: script, entries, queue and call execution."""

"""NodeVMS: backend scripts that their users can audit."""

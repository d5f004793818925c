"""Audits: replay of a log, comparison, and the report."""

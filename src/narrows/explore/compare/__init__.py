"""Rows, revisions and runs side by side."""

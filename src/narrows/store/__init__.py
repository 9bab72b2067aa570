"""Rows on disk: fingerprints, whole outputs, and the readers and writers of every file."""

"""Clustered pictures as a page or as folders."""

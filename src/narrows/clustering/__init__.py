"""Codes as clusters, and encoders that are refined with them."""

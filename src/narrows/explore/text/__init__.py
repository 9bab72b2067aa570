"""Clustered documents as a page, and the nearest ones to a query."""

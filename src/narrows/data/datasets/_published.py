"""The key that all datasets share whose files are downloaded."""

from __future__ import annotations

from narrows.config.plugins import config


@config
class Published:
    mirror: str | None = None
    """A folder or a file://, http:// or https:// URL to look in before all others."""

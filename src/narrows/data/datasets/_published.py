"""The key that all datasets share whose files are downloaded."""

from __future__ import annotations

from narrows.config.plugins import config


@config
class Published:
    """Settings of a data set that is downloaded."""

    mirror: str | None = None
    """A folder or a file://, http:// or https:// URL to look in before all others."""

"""What the network, the corruption and the penalty of a row have in common."""

from __future__ import annotations

from typing import Any

from narrows.config.plugins import config


@config
class Part:
    """Base of the `Config` of these three families."""

    def check(self, row: Any) -> None:
        """Refuses a row of `autoencoders:` that makes no sense with this part; most go with all.

        Raises:
            ValueError: a sentence that starts with the key.
        """

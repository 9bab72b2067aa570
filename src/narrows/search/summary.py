"""What an invocation of a search has gained: numbers, plots and one page that opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from narrows.rendering import figures, html


@dataclass(frozen=True)
class Gains:
    study: str
    objectives: Sequence[dict[str, Any]]
    """By objective: "name", "direction", "before" and "after", the best trials, each a row of
    `studies.table`, or None."""
    trials: Sequence[dict[str, Any]]
    """All rows of `studies.table`."""
    new: Sequence[int]
    """Numbers of the trials that this invocation ended."""
    front: Sequence[int]
    """Numbers of the trials that no other beats."""
    importance: dict[str, dict[str, float]]
    """By objective: share of its variance that each key explains; empty with too few trials."""
    seconds: float

    def count(self, state: str) -> int:
        """New trials that ended so."""
        return sum(row["state"] == state for row in self.trials if row["trial"] in self.new)

    @property
    def finished_per_hour(self) -> float:
        return 3600 * (self.count("COMPLETE") + self.count("PRUNED")) / max(self.seconds, 1e-9)


def render(gains: Gains, plots: dict[str, Figure]) -> str:
    """The page as text, pictures within; whatever a name holds is escaped."""
    environment = html.environment()
    names = [objective["name"] for objective in gains.objectives]
    done = [row for row in gains.trials if row["state"] == "COMPLETE"]
    front = sorted((row for row in done if row["trial"] in gains.front), key=lambda r: r[names[0]])
    return environment.get_template("gains.html.j2").render(
        gains=gains,
        names=names,
        front=front,
        plots={name: figures.data_url(figure) for name, figure in plots.items()},
    )

"""Stage fetch: raw files, verified -> data/<dataset>/raw; params.yaml, checked, in parts.

It runs each time, because only a look says whether your own files or a value have changed, and
whether a study has a better trial, and MLflow's store takes now what it did not take before.
"""

from __future__ import annotations

from pathlib import Path

from narrows import tracking
from narrows.config import params
from narrows.rendering import progress
from narrows.stages import sections
from narrows.stages.better_trials import better_trials


@progress.watch("fetch")
def main() -> None:
    """Brings the raw files up to date."""
    p = params.load()
    p.dataset.module.fetch(p.dataset.config, Path("data", p.dataset.name, "raw"))
    sections.write(p, better_trials(p))
    tracking.log_what_waits()

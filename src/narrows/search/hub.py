"""OptunaHub's AutoSampler, where a user has fetched it. No search downloads code: its trials would
depend on the network of the moment, and so would what runs here.

    python -m narrows.search.hub
"""

from __future__ import annotations

import functools
import warnings
from pathlib import Path
from typing import Any

from narrows import errors
from narrows.errors import UserError, say

PACKAGE = "samplers/auto_sampler"
COMMIT = "ee680199100edbd95e0000eb20696c3ec5505973"
"""Of github.com/optuna/optunahub-registry, as it was read and tested."""


@functools.cache
def auto_sampler() -> Any:
    """The class AutoSampler; None where it was not fetched, or cannot be imported."""
    try:
        import optunahub
        from optunahub import _conf

        cache = Path(_conf.cache_home(), "github.com/optuna/optunahub-registry", COMMIT)
        if not (cache / "package" / PACKAGE).is_dir():  # optunahub would download it
            return None
        sampler = optunahub.load_module(PACKAGE, ref=COMMIT).AutoSampler
    except ImportError:
        return None
    # it hands TPE what Optuna 5 does without
    warnings.filterwarnings("ignore", "`warn_independent_sampling`", FutureWarning)
    return sampler


def fetch() -> None:
    """Downloads it into OptunaHub's cache in the home folder.

    Raises:
        UserError: optunahub is not installed, or GitHub is not reached.
    """
    try:
        import git
        import github
        import optunahub
    except ImportError as error:
        raise UserError(f"{error}; pip install 'narrows[hub]'") from None
    try:
        optunahub.load_module(PACKAGE, ref=COMMIT)
    except (git.GitError, github.GithubException, OSError) as error:
        why = error.stderr if isinstance(error, git.GitCommandError) else str(error)
        raise UserError(f"OptunaHub's registry is not reached: {' '.join(why.split())}") from None
    say("OptunaHub's AutoSampler is there for each search with `sampler: auto`")


if __name__ == "__main__":
    errors.run(fetch)

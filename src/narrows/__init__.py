"""narrows: experiment-tracked autoencoders and deep clustering, and the same in Python.

    import narrows as nw

    data = nw.load_data("digits")
    fitted = nw.fit({"code_size": 10}, data)
    clusters = nw.cluster("kmeans", data, encoder=fitted, n_clusters=10)
    nw.score(clusters, data)

The eight functions are imported when they are first used, so that `import narrows` takes no time.
docs/guides/python.md goes through them; `narrows.sklearn` has scikit-learn's estimators.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from narrows.api.clusters import cluster, refine
    from narrows.api.data import load_data
    from narrows.api.encoders import fit
    from narrows.api.finished import open
    from narrows.api.results import plot, score
    from narrows.api.rows import load_params
else:  # checkers of types would take any name for one of the package

    def __getattr__(name: str) -> Any:
        """One of the eight functions, whose module is imported now."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.api.{_MODULES[name]}"), name)


_MODULES = {
    "load_params": "rows",
    "load_data": "data",
    "fit": "encoders",
    "cluster": "clusters",
    "refine": "clusters",
    "open": "finished",
    "score": "results",
    "plot": "results",
}

__all__ = ["cluster", "fit", "load_data", "load_params", "open", "plot", "refine", "score"]


def __dir__() -> list[str]:
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})

"""How MLflow's page shows the runs of a data set: saved views, stored as tags of its experiment.

MLflow keeps what its button "Save as new view" stores in a tag `mlflow.sharedViewState.<key>`, as
deflated JSON; the page opens with it where its address names the key. The format is that of MLflow
3.17, and `make test-browser` opens the page.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from narrows import tracking
from narrows.tracking import store
from narrows.tracking.run import PERSON

TAG = "mlflow.sharedViewState."
ROWS, ENCODERS = "rows", "encoders"
CURRENT = "tags.current = 'true'"  # what `report` has marked: the rows of params.yaml as they are
COLUMNS = (
    *("tags.`stage`", "tags.`autoencoder`", "tags.`clusterer`", "params.`code_size`"),
    *("params.`depth`", "params.`seed`", "metrics.`cluster/acc`", "metrics.`test/nmi`"),
    *("metrics.`test/mse`", "metrics.`test/linear_probe`"),
)


def of_search(key: str) -> str:
    """The view of a search's trials."""
    return f"search-{key}"


def address(port: int, experiment: str, view: str = ROWS) -> str:
    """Address of a data set's charts on MLflow's page."""
    page = f"http://127.0.0.1:{port}/#/experiments/{experiment}/runs"
    return f"{page}?workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey={view}"


def show(dataset: str, current: Collection[str], tags: Mapping[str, str]) -> None:
    """These runs get the tag `current`, all others of the data set lose it, but for those of other
    people; the experiment gets `tags`, among them the saved views."""
    client = tracking.open_client()
    experiment = client.get_experiment_by_name(dataset) if client else None
    if client is None or experiment is None:
        return
    own = store.person()  # None where nobody signs in: all runs are everybody's then
    for run in client.search_runs([experiment.experiment_id], CURRENT, max_results=10_000):
        if run.info.run_id not in current and own in (None, run.data.tags.get(PERSON, own)):
            client.delete_tag(run.info.run_id, "current")
    for run_id in current:
        client.set_tag(run_id, "current", "true")
    for key, value in tags.items():
        client.set_experiment_tag(experiment.experiment_id, key, value)


class Trials(NamedTuple):
    """Trials of one search."""

    study: str
    """Name of Optuna's study."""
    space: Sequence[str]
    """Dotted keys of a row that the trials change."""
    objectives: Mapping[str, str]
    """"minimize" or "maximize" by name; the first picks the winner."""


def tags(searches: Mapping[str, Trials], created_ms: int) -> dict[str, str]:
    """A view of all rows, best clustering first; one of the encoders, least error first; and one
    of the trials of each search, best first.

    Args:
        created_ms: time of the views, in milliseconds since 1970.
    """
    encoders = f"{CURRENT} AND tags.stage != 'cluster'"
    views = {
        ROWS: _view(CURRENT, "cluster/acc", _of_rows(), ascending=False),
        ENCODERS: _view(encoders, "test/mse", _of_encoders()),
    }
    for key, trials in searches.items():
        own = f"tags.study = '{trials.study}' AND tags.stage = 'trial'"
        metrics = [f"objective/{name}" for name in trials.objectives]
        smallest = next(iter(trials.objectives.values())) == "minimize"
        charts = _of_trials(trials.space, metrics)
        views[of_search(key)] = _view(own, metrics[0], charts, ascending=smallest)
    return {
        TAG + key: json.dumps(
            {
                "name": key,
                "createdAt": created_ms,
                "updatedAt": created_ms,
                "state": _deflated(view),
            }
        )
        for key, view in views.items()
    }


def _of_rows() -> dict[str, list[dict[str, Any]]]:
    """Charts by section."""
    return {
        "Ladder": [_bar("cluster/acc"), _bar("test/nmi"), _bar("test/mse")],
        "Pictures": [_images("sheet"), _images("clusters"), _images("reconstructions")],
    }


def _of_encoders() -> dict[str, list[dict[str, Any]]]:
    return {
        "Reconstructions": [_images("reconstructions")],
        "While it learned": [_images("reconstructions_by_epoch")],
        "Scores": [_bar("test/mse"), _bar("test/linear_probe"), _bar("n_parameters")],
        "Pictures": [_images("map"), _images("code_histogram"), _images("corruptions")],
    }


def _of_trials(space: Sequence[str], metrics: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    parallel = {"type": "PARALLEL", "runsCountToCompare": 100, "showAllRuns": True}
    chosen = {"selectedParams": list(space), "selectedMetrics": metrics[:1]}
    charts = {"Which values were good": [parallel | chosen]}
    if len(metrics) > 1:
        scatter = {"type": "SCATTER", "runsCountToCompare": 100}
        y, x = ({"type": "METRIC", "key": metric} for metric in metrics[:2])
        charts["Front"] = [scatter | {"xaxis": x, "yaxis": y}]
    return charts | {"Pictures": [_images("reconstructions")]}


def _bar(metric: str) -> dict[str, Any]:
    return {"type": "BAR", "metricKey": metric, "displayName": metric, "runsCountToCompare": 20}


def _images(key: str) -> dict[str, Any]:
    chart = {"type": "IMAGE", "imageKeys": [key], "step": 0, "showRunParams": False}
    return chart | {"runsCountToCompare": 10}


def _view(
    search: str, metric: str, charts: dict[str, list[dict[str, Any]]], ascending: bool = True
) -> dict[str, Any]:
    lists: dict[str, Any] = {"compareRunCharts": [], "compareRunSections": []}
    whose = ["attributes.`User`"] if store.person() else []
    state: dict[str, Any] = {
        **{"searchFilter": search, "orderByKey": f"metrics.`{metric}`", "orderByAsc": ascending},
        **{"startTime": "ALL", "lifecycleFilter": "Active"},
        **{"datasetsFilter": [], "modelVersionFilter": "All Runs"},
        **{"selectedColumns": [*COLUMNS, *whose], "columnOrder": [], "columnWidths": {}},
        **{"runsHiddenMode": "FIRST_10_RUNS", "viewMaximized": False, "runListHidden": False},
        **{"isAccordionReordered": True, "hideEmptyCharts": True, "groupBy": None},
        **{"useGroupedValuesInCharts": True, "groupsExpanded": {}, **lists},
    }
    line = {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""}
    state["globalLineChartConfig"] = line
    for section, own_charts in charts.items():
        ours = {"deleted": False, "isGenerated": False}
        wide = own_charts[0]["type"] in ("IMAGE", "PARALLEL")
        size = {"columns": 1 if wide else 3, "cardHeight": 400 if wide else 360}
        named = {"uuid": section, "name": section, "display": True, "isReordered": True}
        state["compareRunSections"].append({**named, **ours, **size})
        for number, chart in enumerate(own_charts):
            place = {"uuid": f"{section} {number}", "metricSectionId": section}
            state["compareRunCharts"].append({**place, **ours, **chart})
    return state


def _deflated(state: dict[str, Any]) -> str:
    return "deflate;" + base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()

"""What MLflow's page says of a run or an experiment, in Markdown: its description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from narrows.report.ladder import Rung

TAG = "mlflow.note.content"


def encoder_note(
    key: str,
    row: Mapping[str, Any],
    tests: Sequence[Mapping[str, Any]],
    clusterings: Sequence[Mapping[str, Any]],
    picture: str | None,
) -> str:
    """What an encoder is, its place by error, and the clusterings of its codes.

    Args:
        row: row of `baselines` or `autoencoders`, with every default.
        tests: lines of autoencoders.csv on the test split, this encoder's among them.
        clusterings: lines of clusterings.csv on the test split, best first.
        picture: address of its reconstructions on MLflow's page.
    """
    mine = next(test for test in tests if test["autoencoder"] == key)
    place = 1 + sum(test["mse"] < mine["mse"] for test in tests)
    plugins = ("network", "corruption", "penalty")
    parts = [f"{name} {_in_words(row[name])}" for name in plugins if _chosen(row.get(name))]
    loss = [f"loss {row['loss']}"] if "loss" in row else []
    lines = [
        f"**`{key}`**: " + ", ".join([row["name"], f"code of {mine['code_size']}", *parts, *loss]),
        "",
        f"Place {place} of {len(tests)} encoders by error on the test split: MSE "
        f"{mine['mse']:.4f}. A low error is no promise of clusters.",
    ]
    own = [c for c in clusterings if c["encoder"] == key]
    if own:
        lines += ["", "Clusterings of its codes: " + ", ".join(map(_clustering, own)) + "."]
    return "\n".join([*lines, *_picture(picture, "original, what the encoder saw, reconstruction")])


def clustering_note(
    key: str,
    clusterings: Sequence[Mapping[str, Any]],
    rungs: Sequence[Rung],
    is_baseline: bool,
    picture: str | None,
) -> str:
    """What a clustering is, its place, and the rows it has to beat.

    Args:
        clusterings: lines of clusterings.csv on the test split, best first, its own among them.
        rungs: what it has to beat.
        is_baseline: whether it clusters the codes of a baseline.
        picture: address of its sheet of samples on MLflow's page.
    """
    place, row = next(
        (place, row) for place, row in enumerate(clusterings, 1) if row["clustering"] == key
    )
    code = "the code of the baseline" if is_baseline else "the code of"
    lines = [f"**`{key}`**: {row['clusterer']} on {code} `{row['encoder']}`", ""]
    lines += [f"Place {place} of {len(clusterings)} on the test split: {_scores(row)}."]
    if is_baseline:
        lines += ["", "A row to beat: no network was trained for its code."]
    if rungs:
        lines += [
            "",
            "| has to beat | because it is | ACC | difference, points |",
            "|---|---|--:|--:|",
        ]
        lines += [f"| `{r.rival}` | {r.why} | {r.acc:.3f} | {100 * r.gain:+.1f} |" for r in rungs]
    return "\n".join([*lines, *_picture(picture, "samples of each cluster")])


def dataset_note(
    dataset: str,
    clusterings: Sequence[Mapping[str, Any]],
    rungs: Mapping[str, Sequence[Rung]],
    overview: Mapping[str, str | None],
) -> str:
    """The ladder, best first, and the pictures that compare all encoders.

    Args:
        clusterings: lines of clusterings.csv on the test split, best first.
        rungs: what a clustering has to beat, by its key.
        overview: addresses of these pictures on MLflow's page, by caption.
    """
    lines = [
        f"**{dataset}**: a run is a row of params.yaml. The view *rows* shows those that are "
        "current; runs of earlier params stay below. The run *report* has the tables.",
        "",
        "| clustering | scores on the test split | points above the rows it has to beat |",
        "|---|---|---|",
    ]
    for row in clusterings:
        beaten = [f"{100 * r.gain:+.1f} `{r.rival}`" for r in rungs.get(row["clustering"], ())]
        lines.append(f"| `{row['clustering']}` | {_scores(row)} | {', '.join(beaten)} |")
    for caption, address in overview.items():
        lines += _picture(address, caption)
    return "\n".join(lines)


def _chosen(plugin: Any) -> bool:
    """Whether a row has this plug-in and it does something."""
    return isinstance(plugin, Mapping) and plugin["name"] != "none"


def _in_words(plugin: Mapping[str, Any]) -> str:
    """A plug-in's name and settings.

    >>> _in_words({"name": "mlp", "hidden": [128, 64], "activation": "relu"})
    'mlp (hidden 128-64, activation relu)'
    """

    def text(value: Any) -> str:
        return "-".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    rest = ", ".join(f"{k} {text(v)}" for k, v in plugin.items() if k != "name" and v)
    return f"{plugin['name']} ({rest})" if rest else str(plugin["name"])


def _clustering(row: Mapping[str, Any]) -> str:
    return f"`{row['clustering']}` ({_scores(row)})"


def _scores(row: Mapping[str, Any]) -> str:
    """ACC and NMI where they are defined, without labels the votes of neighbours."""
    without = {"neighbours": "neighbours' votes"}
    names = {"acc": "ACC", "nmi": "NMI"} if row["acc"] is not None else without
    scores = [f"{name} {row[k]:.3f}" for k, name in names.items() if row[k] is not None]
    return ", ".join(scores) or "no score"


def _picture(address: str | None, what: str) -> list[str]:
    return ["", f"![{what}]({address})"] if address else []

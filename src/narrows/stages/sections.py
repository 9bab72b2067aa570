"""Which sections of params.yaml a stage's rows are made of, and the code that computes them.

Stage `fetch` writes them to artifacts/<dataset>/params/<stage>.json each time, and the stage
depends on that file: a comment runs nothing, and dvc.lock holds one digest for a stage where it
would hold every value of every row. The digest of the package's files in it makes a stage look
after an edit, wherever the package lies; the fingerprints of its rows decide.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from narrows.config.params import Params
from narrows.config.plugins import resolved
from narrows.store import code

DEVICES = ("device", "devices", "num_nodes", "same_noise")
SECTIONS: dict[str, tuple[str, ...]] = {
    "prepare": ("seed", "dataset", "prepare"),
    "pretrained": ("device", "pretrained"),
    "tune": ("seed", "device", "autoencoders", "searches"),
    "encode": ("seed", *DEVICES, "baselines", "autoencoders"),
    "choose_k": ("seed", "n_clusters", "choose_k", "cluster_on"),
    "cluster": ("seed", "cluster_on", "clusterings"),
    "deep_cluster": ("seed", "device", "cluster_on", "deep_clusterings"),
    "evaluate": ("seed", "device", "evaluate", "baselines", "autoencoders", "deep_clusterings"),
    "seeds": (
        *("seed", *DEVICES, "cluster_on", "seeds"),
        *("baselines", "autoencoders", "clusterings", "deep_clusterings"),
    ),
    "report": tuple(field.name for field in dataclasses.fields(Params)),
}


def write(p: Params, better: Mapping[str, int]) -> None:
    """Writes a file for each stage; one whose content stays the same is left alone.

    Args:
        better: number of a trial that `tune` has to look at, by key of its search.
    """
    folder = Path("artifacts", p.dataset.name, "params")
    folder.mkdir(parents=True, exist_ok=True)
    names = {name for sections in SECTIONS.values() for name in sections}
    texts = {name: json.dumps(plain(resolved(getattr(p, name)))) for name in names}
    package, data = code.files_digest(), code.files_digest("data")
    for stage, sections in SECTIONS.items():
        lines = [f'"{name}": {texts[name]}' for name in sections]
        lines.append(f'"code": "{data if stage == "prepare" else package}"')
        lines += [f'"is_x_alone": {json.dumps(not p.pretrained)}'] if stage == "prepare" else []
        lines += [f'"better": {json.dumps(better)}'] if stage == "tune" else []
        lines += [f'"models": {json.dumps(p.logged_models)}'] if stage == "report" else []
        text = "{\n" + ",\n".join(lines) + "\n}\n"
        file = folder / f"{stage}.json"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def plain(value: object) -> object:
    """A value as JSON holds it; a search's space, which is an object, as its text."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)

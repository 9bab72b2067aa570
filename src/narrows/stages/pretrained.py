"""Stage pretrained: originals -> features, by encoders that others have trained.

They lie in artifacts/<dataset>/pretrained, for rows that name one as their `input`. The files of
the user's are read on this machine, whatever engine computes other rows.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from narrows.config import params
from narrows.config.params import Params
from narrows.config.plugins import Plugin, resolved
from narrows.engine import ONE_CORE, Slot
from narrows.errors import UserError
from narrows.rendering import progress
from narrows.stages import runner
from narrows.stages.runner import Setting
from narrows.store import features
from narrows.store.digests import digest_of
from narrows.store.rows import Attempt, Call, Row


def main() -> None:
    """Brings all rows of `pretrained:` up to date."""
    p = params.load()
    setting = runner.setting_of(p)
    members = [row_of(setting, p, key) for key in p.pretrained]
    home, preload = setting.artifacts / "pretrained", ("torch", "PIL")
    runner.refresh("pretrained", home, members, slot_on(p.device), preload, is_here=True)


def slot_on(device: str) -> Slot:
    """What a row needs: a GPU, or all cores, because there is mostly one row; where OMP_NUM_THREADS
    says how many threads a row has, it has those, and others run beside it."""
    from narrows.engine.processes import n_cores

    slot = runner.slot_on(device)
    is_free = slot == ONE_CORE and not os.environ.get("OMP_NUM_THREADS")
    return Slot(cores=n_cores()) if is_free else slot


def row_of(setting: Setting, p: Params, key: str) -> Row:
    """A row of `pretrained:`; raises `UserError` where its weights are not here."""
    row, folder = p.pretrained[key], Path("data", setting.dataset)
    weights = row.module.weights(row.config)
    settings = {"row": resolved(row), "weights": digest_of(weights.file)}
    reads = (*setting.data_files(), folder / "samples.csv", folder / "schema/schema.json")
    call = Call("narrows.stages.pretrained", "write_features", (setting, key, row, p.dataset))
    place = features.folder(setting.artifacts, key)
    modules = runner.plugin_modules(row, p.dataset)
    return Row(f"pretrained.{key}", place, settings, reads, call, modules)


def write_features(
    setting: Setting, key: str, row: Plugin, dataset: Plugin, attempt: Attempt
) -> None:
    """Writes the features of all samples, the least of all values as 0 and the largest as 1, so
    that distances keep their proportions."""
    from narrows.data import originals
    from narrows.data.scaling import Scaling
    from narrows.models.features import Extractor

    samples = originals.known(dataset, Path("data", setting.dataset))
    extractor, parts = Extractor(row, setting.device), list[np.ndarray]()
    with progress.part("samples", len(samples)) as part:
        for features_of_some in extractor.extract(samples):
            parts.append(features_of_some)
            part.n += len(features_of_some)
    x = np.concatenate(parts)
    if not np.isfinite(x).all():
        raise UserError(f"pretrained.{key}: features are not finite")
    low, high = float(x.min()), float(x.max())
    weights, classifier = row.module.weights(row.config), extractor.classifier
    config = {
        "key": key,
        "row": resolved(row),
        "kind": row.module.KIND,
        "low": low,
        "high": high,
        "sha256": digest_of(weights.file),
        "licence": weights.licence,
        "trained_on": weights.trained_on,
        "words": list(classifier.words) if classifier else [],
    }
    layer = {"weight": classifier.weight, "bias": classifier.bias} if classifier else None
    features.write(attempt.folder, config, Scaling.between(low, high).to_unit(x), layer)

"""Stage deep_cluster: encoders refined with clusters -> artifacts/<dataset>/deep_clusterings."""

from __future__ import annotations

from pathlib import Path

from narrows.config import params
from narrows.config.params import Params
from narrows.config.plugins import resolved
from narrows.stages import runner
from narrows.stages.cluster import places
from narrows.stages.runner import Setting
from narrows.store import choices, clusterings, encoders
from narrows.store.rows import Call, Row


def main() -> None:
    """Brings all rows of `deep_clusterings:` up to date."""
    p = choices.with_winners(params.load())
    setting = runner.setting_of(p)
    n_clusters = choices.read_n_clusters(choices.k_folder(setting.artifacts))
    rows = [row_of(setting, p, key, n_clusters) for key in p.deep_clusterings]
    home = setting.artifacts / "deep_clusterings"
    runner.refresh("deep_cluster", home, rows, runner.slot_on(p.device), runner.REFINING)


def row_of(setting: Setting, p: Params, key: str, n_clusters: int) -> Row:
    """A row of `deep_clusterings:` under the setting's seed."""
    row = p.deep_clusterings[key]
    encoder_row = p.autoencoders[row.encoder]
    place, encoder = places(setting, p, key, row.encoder, "deep_clusterings")
    settings = {**resolved(row), "n_clusters": n_clusters, "cluster_on": p.cluster_on}
    settings |= {"seed": setting.seed, "device": setting.device}
    teachers = [teacher_folder(setting, p, teacher) for teacher in row.teachers]
    reads = (
        *encoders.files(encoder, is_baseline=False),
        *setting.data_files(encoder_row.config.input),
        *(clusterings.clusters_file(teacher) for teacher in teachers),
    )
    arguments = (setting, key, row, encoder_row, settings, encoder, teachers)
    call = Call("narrows.stages.refine", "refine", arguments)
    modules = runner.plugin_modules(row, encoder_row)
    return Row(f"deep_clusterings.{key}", place, settings, reads, call, modules)


def teacher_folder(setting: Setting, p: Params, key: str) -> Path:
    """Where another clustering under the setting's seed lies."""
    section = "clusterings" if key in p.clusterings else "deep_clusterings"
    encoder = getattr(p, section)[key].encoder
    return places(setting, p, key, encoder, section)[0]

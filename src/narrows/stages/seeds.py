"""Stage seeds: rows again from other seeds, encoder and all -> artifacts/<dataset>/seeds.

A row from another seed is the same task with another seed; the splits stay those of `seed`. Its
encoders lie in artifacts/<dataset>/seed_encoders/<seed>/.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from narrows.config import params
from narrows.config.params import Params
from narrows.config.plugins import resolved
from narrows.engine import Slot
from narrows.stages import cluster, deep_cluster, encode, runner
from narrows.stages.runner import Setting
from narrows.store import choices, encoders
from narrows.store.rows import Call, Row


def main() -> None:
    """Brings the rows of all other seeds up to date."""
    p = choices.with_winners(params.load())
    own = runner.setting_of(p)
    settings = [replace(own, seed=s, is_logged=False) for s in p.seeds.values if s != p.seed]
    methods: dict[str, Any] = {**p.clusterings, **p.deep_clusterings}
    keys = list(dict.fromkeys(methods[key].encoder for key in p.seeds.rows))
    slot = runner.slot_on(p.device)

    batched = [key for key in keys if is_together(p, key, slot)]
    together = [together_row(own, settings, p, key) for key in batched]
    batch_of = {row.folder.name: row for row in together}
    single = [encoder_row(s, p, key, batch_of.get(key)) for s in settings for key in keys]
    n_clusters = choices.read_n_clusters(choices.k_folder(own.artifacts))
    clusterings = [clustering_row(s, p, key, n_clusters) for key in p.seeds.rows for s in settings]
    members = {
        "seed_batches": together if settings else [],
        "seed_encoders": single,
        "seeds": clusterings,
    }
    homes = {own.artifacts / name: rows for name, rows in members.items()}
    runner.refresh_all("seeds", homes, slot, runner.REFINING)


def is_together(p: Params, key: str, slot: Slot) -> bool:
    """Whether an encoder is trained from all other seeds at once, as one batch of models: where
    params.yaml leaves it open, on a GPU."""
    if key not in p.autoencoders:
        return False
    return slot.gpus > 0 if p.seeds.together == "auto" else p.seeds.together


def together_row(own: Setting, settings: list[Setting], p: Params, key: str) -> Row:
    """Weights of one autoencoder from all other seeds."""
    row, seeds = p.autoencoders[key], tuple(setting.seed for setting in settings)
    call = Call("narrows.stages.train", "train_seeds", (own, key, row, seeds))
    folder = own.artifacts / "seed_batches" / key
    record = {"seeds": list(seeds), "row": resolved(row), "device": p.device}
    modules = (*runner.plugin_modules(row), "narrows.training.many_seeds")
    return Row(
        f"seed_batches.{key}", folder, record, own.data_files(row.config.input), call, modules
    )


def encoder_row(setting: Setting, p: Params, key: str, batch: Row | None) -> Row:
    """One encoder from one other seed: computed, or taken out of its batch."""
    row = encode.encoder_row(setting, p, key)
    name = f"seed_encoders.{setting.seed}.{key}"
    if batch is None:
        return replace(row, name=name)
    arguments = (setting, key, p.autoencoders[key], batch.folder)
    call = Call("narrows.stages.train", "encode_seed", arguments)
    files = encoders.seed_files(batch.folder, setting.seed)
    return replace(row, name=name, call=call, reads=(*row.reads, *files))


def clustering_row(setting: Setting, p: Params, key: str, n_clusters: int) -> Row:
    """One clustering from one other seed."""
    module = cluster if key in p.clusterings else deep_cluster
    row = module.row_of(setting, p, key, n_clusters)
    return replace(row, name=f"seeds.{setting.seed}.{key}")

"""How an encoder is evaluated: scores, maps and pictures, none of which sees a label."""

from __future__ import annotations

from pathlib import Path

import torch

from narrows.clustering import saved
from narrows.config.sections import Evaluate
from narrows.data import prepared
from narrows.data.unit import to_unit
from narrows.evaluation import measures, pictures
from narrows.evaluation.measures import Coder
from narrows.stages.runner import Setting
from narrows.store import evaluations
from narrows.store.encoders import StoredEncoder
from narrows.store.reading import read_array
from narrows.store.rows import Attempt


def measure(setting: Setting, options: Evaluate, encoder_folder: Path, attempt: Attempt) -> None:
    """Measures one encoder on the test split and writes its evaluation."""
    encoder = StoredEncoder(encoder_folder)
    data = prepared.read(setting.dataset, encoder.config["row"]["input"])
    test, view = to_unit(data.in_memory("test")), to_unit(data.view())
    corruptions = measures.applicable(options.corruptions, view)
    coder = coder_of(encoder, setting.device)
    scores = measures.scores(coder, test, corruptions, options.nll_draws, setting.seed)
    panels = pictures.draw_pictures(coder, view, corruptions, setting.seed)
    evaluations.write_maps(
        attempt.folder, measures.maps(encoder.codes, options.map_rows, setting.seed)
    )
    evaluations.write_scores(attempt.folder, scores, panels)


def map_codes(codes_file: Path, n_rows: int, seed: int, attempt: Attempt) -> None:
    """Draws two planes of refined codes and writes them."""
    maps = measures.maps(read_array(codes_file), n_rows, seed)
    evaluations.write_maps(attempt.folder, maps)


def coder_of(encoder: StoredEncoder, device: str) -> Coder:
    """A baseline, or an autoencoder on the device, by its two ways, as measures take it."""
    if not encoder.is_baseline:
        return measures.of_model(saved.model(encoder.config, encoder.weights), device)
    _, encode, decode = saved.coder(encoder.folder)
    return Coder(
        lambda x: torch.from_numpy(encode(x)),
        lambda z: torch.from_numpy(decode(z.numpy())).float(),
    )

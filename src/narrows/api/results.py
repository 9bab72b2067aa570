"""How good a result is, in numbers and as a picture."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from narrows.api.clusters import Clusters
from narrows.api.data import Data
from narrows.api.encoders import Fitted
from narrows.data import splits
from narrows.data.blocks import take
from narrows.data.unit import to_unit
from narrows.errors import UserError
from narrows.models import encoders
from narrows.rendering import figures, grids
from narrows.report import tables
from narrows.report.artifacts import LabelledData
from narrows.report.clustering_figures import choose_examples

N_EXAMPLES = 12
"""Samples of a cluster in its line of the picture."""


def score(
    result: Fitted | Clusters, data: Data, split: str = "test"
) -> dict[str, int | float | None]:
    """Scores of an encoder or a clustering on one split.

    Args:
        result: of `fit`, `cluster`, `refine` or `open`.
        data: of `load_data`; its labels, if it has any, are looked at here only.
        split: "train", "val", "test", or "all".

    Returns:
        Of an encoder "mse" and "bce" (nats) per value in [0, 1], "psnr" in dB, and "ssim". Of a
        clustering "silhouette" between the samples, "coverage" (share that is not noise),
        "n_clusters_found", "n" (samples), and against labels "acc", "nmi", "ari", "purity", each
        at most 1, and "acc_covered"; clusters are matched to labels on the train split. None where
        one is not defined. docs/benchmarks.md has what good values are.

    Raises:
        UserError: no such split, or samples that the encoder does not take.
    """
    if split not in (*splits.NAMES, "all"):
        raise UserError(f"split: accepted are {', '.join(splits.NAMES)} and all, found {split!r}")
    if isinstance(result, Fitted):
        result.samples(data)  # refuses samples of another scale
        encode, decode = result.verbs

        def reconstruct(x: Tensor) -> Tensor:
            return torch.from_numpy(decode(encode(x))).float()

        return {**encoders.errors(reconstruct, data.samples(split))}
    clusters = result.clusters if data is result.data else result.predict(data)
    labelled = LabelledData(data.x, data.split, data.labels())
    return tables.clustering_scores(labelled, clusters, split, seed=0)


def plot(result: Fitted | Clusters, data: Data | None = None) -> Image.Image:
    """A picture of what a result does, which a notebook shows and `.save("file.png")` writes.

    Of an encoder sixteen validation samples, from the top: original, as the encoder saw it if that
    was corrupted, reconstruction, error. Of a clustering a line a cluster: the twelve samples
    nearest to the mean of its codes. Rows of a table are drawn as a bar for each value, of 64 at
    most.

    Args:
        result: of `fit`, `cluster`, `refine` or `open`.
        data: of `load_data`; that of the clustering if not given.

    Raises:
        UserError: no data, samples that the encoder does not take, longer rows, or all is noise.
    """
    samples = data or (result.data if isinstance(result, Clusters) else None)
    if samples is None:
        raise UserError("plot(result, data): the data are missing")
    if not figures.can_be_drawn(samples.x.shape[1:]):
        raise UserError(
            f"samples of {samples.x.shape[1]:,} values have no picture; drawn are pictures, "
            f"(N, H, W) for instance, and rows of at most {figures.MAX_BARS} values"
        )
    if isinstance(result, Fitted):
        return Image.fromarray(_draw_encoder(result, samples))
    return Image.fromarray(_draw_clusters(result, samples))


def _draw_encoder(fitted: Fitted, data: Data) -> np.ndarray:
    """Colour pixels (height, width, 3) of samples and their reconstructions."""
    fitted.samples(data)  # refuses samples of another scale
    if fitted.is_baseline:
        encode, decode = fitted.verbs
        x = noisy = to_unit(data.view()).numpy()
        x_hat = decode(encode(data.view())).astype(np.float32)
    else:
        view = encoders.pictures(fitted.row, data, seed=0)(fitted.model)
        x, noisy, x_hat = (view[name] for name in ("x", "noisy", "reconstruction"))
    return figures.reconstructions(x, noisy, x_hat, columns=8)


def _draw_clusters(result: Clusters, data: Data) -> np.ndarray:
    """Colour pixels (height, width, 3) of typical samples, a line a cluster."""
    same = data is result.data
    codes = np.asarray(result.codes) if same else result.encoder.encode(data)
    clusters = result.clusters if same else result.predict(data)
    examples = choose_examples(codes, clusters, N_EXAMPLES)
    if not examples:
        raise UserError("the clustering has no cluster, all is noise")
    groups = [[to_unit(take(data.x, example.nearest))] for example in examples]
    return grids.sheet(groups, [str(example.cluster) for example in examples])

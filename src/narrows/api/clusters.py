"""Clusterings in Python: `cluster` and `refine`, and what they return."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from narrows.api import rows
from narrows.api.data import Data, load_data
from narrows.api.encoders import Fitted, fit
from narrows.api.rows import Context, Words
from narrows.clustering import choose_k, saved
from narrows.clustering.centres import means
from narrows.clustering.codes import fit_predict
from narrows.clustering.saved import Saved
from narrows.clustering.state import State, hardened
from narrows.config.messages import plural
from narrows.config.plugins import Plugin
from narrows.config.sections import LARGEST_K, Clustering, DeepClustering
from narrows.data import splits, table_frame
from narrows.errors import UserError
from narrows.evaluation import outliers
from narrows.models.autoencoder import cpu_weights, restored
from narrows.rendering import progress
from narrows.store.choices import Recommendation

if TYPE_CHECKING:
    from narrows.clustering.refine import Refined
    from narrows.explore.apply import Description


@dataclass(frozen=True, eq=False, repr=False)
class Clusters:
    """A finished clustering: the clusters of its samples, and what it says of new ones.

    Arrays that its methods take are in the units and the layout of the samples that its encoder was
    fitted on. It can be pickled.
    """

    clusters: np.ndarray
    """Clusters (N,) of all samples, from 0 on; -1 is noise."""
    codes: np.ndarray
    """Codes (N, D) that the clusters are read off."""
    encoder: Fitted
    """What made the codes; refined, where the clustering has refined it."""
    start: Fitted
    """The encoder as it was before any refinement, whose reconstructions tell what is odd."""
    clusterer: Plugin
    """The method, or that of the first clusters where the encoder was refined."""
    state: State
    """Arrays by name that the clusterer has learned."""
    data: Data | None
    """The samples; None where they were not remembered."""
    method: Plugin | None = None
    """Deep clusterer that has refined the encoder; None for a clustering of codes as they were."""
    parts: Mapping[str, Any] = field(default_factory=dict)
    """Tensors by name that the deep clusterer has learned beside the encoder."""
    n_clusters: int = 0
    """Number K of clusters that a membership may have; one of them may be empty."""
    recommended: Recommendation | None = None
    """Of n_clusters="auto": numbers that do about as well, other levels, and whether there are
    groups at all; None where the number was given."""
    history: Sequence[Mapping[str, int | float]] = ()
    """One record an update of a deep clustering: its health and the terms of the loss."""
    fell_back: bool = False
    """Whether the refinement lost most clusters, so that these are those of the start."""
    seconds: float = 0.0
    """Wall time of the clustering."""

    def __repr__(self) -> str:
        method = self.method.name if self.method else self.clusterer.name
        n_found = len(np.unique(self.clusters[self.clusters >= 0]))
        what = f"{plural(len(self.clusters), 'sample')} in {plural(n_found, 'cluster')}"
        return f"Clusters({method} of {self.encoder!r}: {what})"

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @cached_property
    def verbs(self) -> Saved:
        """What it does with samples as they are stored."""
        if self.method is None:
            cluster, soft = saved.clusterer_verbs(self.clusterer, self.state)
        else:
            cluster, soft = saved.refined_verbs(
                self.method, self.clusterer, self.state, dict(self.parts), self.n_clusters
            )
        encode, decode = self.start.verbs
        centres = means(self.codes, self.clusters, self.n_clusters)
        return Saved(
            self.start.input_shape,
            self.encoder.verbs[0],
            lambda x: decode(encode(x)),
            cluster,
            soft,
            centres,
        )

    def predict(self, x: Data | np.ndarray | Any) -> np.ndarray:
        """Clusters (N,) of samples x (N, ...), -1 is noise.

        Raises:
            UserError: samples of another shape, not finite, or of another scale.
        """
        return self.verbs.cluster(self.encoder.encode(x))

    def memberships(self, x: Data | np.ndarray | Any | None = None) -> np.ndarray:
        """Shares (N, K) of samples x in the clusters, of the known samples if x is not given; a
        method without any gives a single 1 a row, and zeros for noise. Raises as `predict` does."""
        return self.verbs.soft(np.array(self.codes) if x is None else self.encoder.encode(x))

    def describe(self, x: np.ndarray | Any, n_similar: int = 5) -> Description:
        """All that it says of new samples x (N, ...): `answer` with codes, clusters, memberships
        and distances, `scores` and `is_outlier`, and the known rows in `similar` (N, n_similar).

        Raises:
            UserError: as `predict` does, or the known samples were not remembered.
        """
        from narrows.explore import apply

        if self.data is None:
            raise UserError("the clustering has not remembered the samples that it was made from")
        reference = outliers.reference(splits.mask(self.data.split, "train"))
        columns = table_frame.used(dict(self.data.schema))
        inside = sparse.csr_array((len(self.data.x), len(columns)))  # samples are on the scale
        known = apply.Known(self.data.x, np.asarray(self.codes), reference, columns, inside)
        samples = self.start.samples(x)[:].numpy()
        beyond = np.zeros((len(samples), len(columns)))
        return apply.describe(self.verbs, known, samples, beyond, n_similar)


@progress.watch("cluster")
def cluster(
    row: Clustering | Plugin | Words,
    data: Data | np.ndarray | Any,
    *,
    encoder: Fitted | Plugin | Words | None = None,
    n_clusters: int | str | None = None,
    seed: int = 0,
) -> Clusters:
    """Clusters the codes of all samples.

    Args:
        row: of `load_params().clusterings`; or a clusterer's name, "kmeans" or "umap_gmm", or a
            mapping with its keys, {"name": "kmeans", "n_init": 5}.
        data: of `load_data`, or an array that it takes.
        encoder: what makes the codes: of `fit` or `open`, or a row that `fit` takes. If not given
            that of the row, which is fitted first; the samples themselves where it has none.
        n_clusters: number of clusters; "auto" for the one of 2 to 30 that the codes show best. If
            not given that of params.yaml. A method by density ignores it.
        seed: of the clusterer, and of an encoder that is fitted first.

    Raises:
        UserError: n_clusters is missing or more than there are samples, a key is not known, or the
            encoder takes other samples.
    """
    clusterer, context = rows.clustering_row(row)
    samples = data if isinstance(data, Data) else load_data(data)
    fitted = _encoder(encoder, context, samples, seed)
    codes, learned_from = fitted.encode(samples), splits.mask(samples.split, context.cluster_on)
    k, best = _number(n_clusters, context, lambda: codes[learned_from], seed)
    began = time.perf_counter()
    state, clusters = fit_predict(clusterer, codes, learned_from, k, seed)
    return Clusters(
        clusters,
        codes,
        encoder=fitted,
        start=fitted,
        clusterer=clusterer,
        state=state,
        data=samples,
        n_clusters=int(clusters.max()) + 1,
        recommended=best,
        seconds=time.perf_counter() - began,
    )


@progress.watch("refine")
def refine(
    row: DeepClustering | Plugin | Words,
    fitted: Fitted,
    data: Data | np.ndarray | Any,
    *,
    n_clusters: int | str | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Clusters:
    """Refines an autoencoder together with clusters of its codes.

    Args:
        row: of `load_params().deep_clusterings`; or a method's name, "dec" or "idec", or a mapping
            with its keys, {"name": "dec", "max_updates": 4}; or a mapping of `method`, `start` and
            `augmentation`, a name or a mapping each.
        fitted: trained autoencoder, which stays as it is.
        data: of `load_data`, or an array that it takes.
        n_clusters: as for `cluster`.
        seed: of everything random.
        device: auto, cpu, cuda or mps.

    Returns:
        The clusters; `encoder` is the refined autoencoder. The global random state is as before.

    Raises:
        UserError: n_clusters is missing, the clusters collapsed, the loss is not finite, or the
            encoder is a baseline or takes other samples.
    """
    chosen, context = rows.deep_row(row)
    samples = data if isinstance(data, Data) else load_data(data)
    learned_from = splits.mask(samples.split, context.cluster_on)
    k, best = _number(n_clusters, context, lambda: fitted.encode(samples)[learned_from], seed)
    done = _refined(chosen, fitted, samples, learned_from, k, seed, device)
    weights, on = cpu_weights(done.model), done.model.device.type
    return Clusters(
        hardened(done.soft),
        done.codes,
        encoder=dataclasses.replace(fitted, learned=weights, device=on, history=(), best_epoch=0),
        start=fitted,
        clusterer=chosen.start,
        state=done.state,
        data=samples,
        method=chosen.method,
        parts=done.parts,
        n_clusters=done.soft.shape[1],
        recommended=best,
        history=tuple(done.history),
        fell_back=done.fell_back,
        seconds=done.seconds,
    )


def _refined(
    row: DeepClustering,
    fitted: Fitted,
    data: Data,
    learned_from: np.ndarray,
    n_clusters: int,
    seed: int,
    device: str,
) -> Refined:
    """Refines a copy of the encoder."""
    from narrows.clustering import refine as refining
    from narrows.clustering.job import Job
    from narrows.training.lightning import guest

    with guest(), tempfile.TemporaryDirectory() as folder:
        job = Job(
            x=fitted.samples(data),
            fitted=learned_from,
            model=restored(fitted.model.row, fitted.input_shape, dict(fitted.learned)),
            start=row.start,
            n_clusters=n_clusters,
            augmentation=row.augmentation,
            seed=seed,
            device=device,
            work=Path(folder),
        )
        return refining.refine(row.method, job)


def _encoder(
    encoder: Fitted | Plugin | Words | None, context: Context, data: Data, seed: int
) -> Fitted:
    """The encoder of a clustering, fitted if it has to be."""
    if isinstance(encoder, Fitted):
        return encoder
    if encoder is None and context.encoder is None and context.encoder_key:
        raise UserError(
            f"the encoder {context.encoder_key!r} is the winner of a search: hand it over, "
            f"encoder=nw.open({context.encoder_key!r})"
        )
    return fit(encoder if encoder is not None else context.encoder or "identity", data, seed=seed)


def _number(
    n_clusters: Any, context: Context, codes: Callable[[], np.ndarray], seed: int
) -> tuple[int, Recommendation | None]:
    """`number` of the call, or where it says none that of params.yaml."""
    return number(context.n_clusters if n_clusters is None else n_clusters, codes, seed)


def number(
    n_clusters: Any, codes: Callable[[], np.ndarray], seed: int, least: int = 2
) -> tuple[int, Recommendation | None]:
    """A number of clusters, or for "auto" the one of 2 to 30 that the codes (N, D) show best, and
    then what is recommended beside it.

    Raises:
        UserError: it is no number, or below `least`; or the codes show no clusters.
    """
    if n_clusters == "auto":
        best = choose_k.compare(codes(), LARGEST_K, seed)[1]
        if best is None:
            raise UserError("n_clusters is auto, but the codes show no clusters")
        return best.n_clusters, best
    k = int(n_clusters) if isinstance(n_clusters, np.integer) else n_clusters
    if type(k) is not int or k < least:
        raise UserError(f"n_clusters: accepted are auto and numbers from {least} on, found {k!r}")
    return k, None

"""Deep clustering: refines an encoder and its clusters together, from a clustering of its codes.

An epoch of Lightning is one update: some steps towards the targets, and then a look at the whole
set, which gives the next targets and the run's health. Everything random is drawn from (seed,
update), so that a run resumed after a kill ends as one that was never interrupted.

In shapes N is all samples, F those that are learned from, B a batch, D the code's units and K the
clusters of the start.
"""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from narrows.clustering import health
from narrows.clustering.deep_clusterers._base import DeepClusterer
from narrows.clustering.job import Job, Record, Start, cluster_codes, prepare_start
from narrows.clustering.matching import renumbering
from narrows.clustering.state import State, hardened, load_state, one_hot, save_state
from narrows.config.plugins import Plugin
from narrows.data.unit import to_unit
from narrows.errors import UserError, say
from narrows.models.autoencoder import Autoencoder, corrupt, encode_all
from narrows.models.devices import device_named
from narrows.training.batches import BLOCK_STEPS, Draws
from narrows.training.cuda_graph import Batch, set_rate
from narrows.training.lightning import run
from narrows.training.steps import Stepping

MIN_EFFECTIVE = 0.5
"""Share of the start's effective number of clusters at or below which a run has collapsed."""

LOST = 0.3
"""Effective clusters that a reading of the codes may have fewer than the last one. To join two
equal groups and halve a third costs .65, whatever their number is."""
N_READINGS = 5
"""Readings of the same codes, at most, of which each loses more than that."""

LOOKS = ("history", "assignments", "target", "done", "fell_back")
"""What checkpoints hold besides weights."""


@dataclass(frozen=True)
class Refined:
    model: Autoencoder
    """The refined autoencoder."""
    parts: dict[str, Tensor]
    """What the method learned beside the model: centres, for instance."""
    state: State
    """What the clusterer has learned that reads the clusters off the codes; empty where `parts`
    do."""
    codes: np.ndarray
    """Codes (N, D) of the last update."""
    soft: np.ndarray
    """Memberships (N, K) of the last update; a row of zeros is noise."""
    assignments: np.ndarray
    """Clusters (T, N) at every update, the start's first."""
    history: list[Record]
    """One record an update: its health and the terms of the loss since the one before."""
    seconds: float
    """Duration of the training, interrupted runs included."""
    fell_back: bool
    """Whether the run collapsed, so that this is the start's clustering."""


def refine(method: Plugin, job: Job) -> Refined:
    """Runs a method of `deep_clusterers` until few clusters change or `max_updates` are done.

    Resumes from `job.work` if it can.

    Raises:
        UserError: the clusters collapsed, the loss is not finite, or the start finds one cluster.
    """
    _delete_damaged(job.work, len(job.x))
    pl.seed_everything(job.seed, verbose=False)
    job.model.to(device_named(job.device))  # the start's codes are computed there, too
    module = Refine(method, job, prepare_start(job))
    module.train()
    seconds = run(module, job.device, method.config.max_updates, job.work, unit="updates")
    module.eval()  # on the device that refined it
    state, arrays = load_state(job.work / "look.npz")
    return Refined(
        model=module.model,
        parts={name: part.detach().cpu() for name, part in module.parts.items()},
        state=state,
        codes=module.codes(),
        soft=arrays["soft"],
        assignments=torch.stack(module.assignments).numpy(),
        history=module.history,
        seconds=seconds,
        fell_back=module.fell_back,
    )


def _delete_damaged(work: Path, n_x: int) -> None:
    """Deletes a folder of checkpoints with arrays in it that cannot be read, or are not of `n_x`
    samples: all begins anew."""
    for name, array in (("look.npz", "soft"), ("start.npz", "clusters")):
        if not (work / name).exists():
            continue
        try:
            if len(load_state(work / name)[1][array]) == n_x:
                continue
        except Exception:  # parsers of damaged bytes raise anything
            pass
        say(f"{work / name} is damaged; it is deleted, and the refinement begins anew")
        shutil.rmtree(work)
        return


class Refine(Stepping):
    """A method's steps towards its targets, and its looks at the whole set."""

    def __init__(self, method: Plugin, job: Job, start: Start):
        super().__init__()
        self.method: DeepClusterer = method.module
        self.cfg, self.job, self.start, self.model = method.config, job, start, job.model
        self.x, self.rows = job.x, torch.from_numpy(np.flatnonzero(job.fitted))  # rows: (F,)
        self.initial = {name: weight.clone() for name, weight in job.model.state_dict().items()}
        self.n_clusters = int(start.clusters.max()) + 1
        self.parts = nn.ParameterDict(self._parts(start.codes, start.clusters))
        self.history: list[Record] = []
        self.assignments: list[Tensor] = []  # (N,) of each look
        self.target = torch.empty(0)  # (F, K)
        self.done = self.fell_back = False
        self._codes: np.ndarray | None = start.codes

    def codes(self) -> np.ndarray:
        """Codes (N, D) of all samples under the weights as they are; encoded once for them."""
        if self._codes is None:
            self._codes = encode_all(self.model.eval(), self.x)[self.start.first]
        return self._codes

    # --- the steps of an update -------------------------------------------------------------

    def train_dataloader(self) -> Draws:
        cfg = self.cfg
        return Draws(len(self.rows), cfg.batch_size, cfg.interval, self._update_seed)

    def configure_optimizers(self) -> Any:
        optimizer = self.cfg.optimizer
        weights = [w for w in self.parameters() if w.requires_grad]
        return optimizer.module.optimizer(optimizer.config, weights)

    def on_train_start(self) -> None:
        super().on_train_start()
        self.x, self.rows = self.x.to(self.device), self.rows.to(self.device)
        self.target = self.target.to(self.device)
        if not self.history:
            self._look()
        self.trainer.should_stop = self.done

    def training_step(self, block: tuple[Tensor, ...], index: int) -> None:
        if index == 0:  # not in on_train_epoch_start, which Lightning skips when it resumes
            torch.manual_seed(self._update_seed())
            self.noises[0].manual_seed(self._update_seed())
            self.empty_sums()
            self.model.train()
        self._codes = None
        self.take(self._batches(block, index * BLOCK_STEPS))

    def _batches(self, block: tuple[Tensor, ...], first: int) -> Iterator[Batch]:
        """Samples and targets of each step, whose rate is set before it is taken."""
        for i, batch in enumerate(block, start=first):
            if self.cfg.anneal:
                share = (1 + math.cos(math.pi * i / self.cfg.interval)) / 2
                set_rate(self.optimizer(), share * self.cfg.optimizer.config.lr)
            rows = batch.to(self.device)  # (B,), places among the F
            yield self.x[self.rows[rows]].to(self.device), self.target[rows]

    def loss(self, *batch: Tensor) -> Tensor:
        x, target = batch  # (B, ...), (B, K)
        clean = to_unit(x)
        noisy = corrupt(self.job.augmentation, clean, self.noises[0])
        with self.autocast():
            terms = self.method.loss(self.cfg, self.parts, self.model, noisy, clean, target)
        for name, value in terms.items():
            self.add(name, value / self.cfg.interval)
        return torch.stack(list(terms.values())).sum()

    def on_train_epoch_end(self) -> None:
        """Comes before Lightning writes the checkpoint, so that a resumed run knows of the look."""
        self._look()
        record, update = self.history[-1], len(self.history) - 1
        seen = update * self.cfg.interval * self.cfg.batch_size >= len(self.rows)
        self.done = seen and record["label_change"] < self.cfg.tolerance
        every = self.cfg.reset_every
        if record["effective_clusters"] <= MIN_EFFECTIVE * self.history[0]["effective_clusters"]:
            self._collapse(record)
        elif every is not None and update % every == 0 and update < self.cfg.max_updates:
            self.done = False
            self._reset()
        self.trainer.should_stop = self.done

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["looks"] = {name: getattr(self, name) for name in LOOKS}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        for name in LOOKS:
            setattr(self, name, checkpoint["looks"][name])
        self._codes = None

    # --- a look at the whole set -------------------------------------------------------------

    @torch.no_grad()
    def _look(self) -> None:
        """Clusters all samples as they are now, and sets the targets of the next steps."""
        self.model.eval()
        codes = self.codes()  # (N, D)
        before = self._clusters_before()  # (N,)
        # 1. centres that no gradient moves go to their codes (DCN); they begin in the right place
        if self.history:
            self.method.recentre(self.cfg, self.parts, self._fitted(codes))
        # 2. memberships of all samples
        state, soft = self._memberships(codes, before)  # (N, K)
        clusters = hardened(soft)  # (N,)
        # 3. whether the run is well
        record = self._judge(clusters, before)
        # 4. targets of the samples that are learned from
        self.target = self.method.target(self.cfg, self._fitted(soft))  # (F, K)
        # 5. what is remembered of it; the state on disk alone, as checkpoints hold tensors
        self.history.append(record)
        self.assignments.append(torch.from_numpy(clusters.astype(np.int16)))
        save_state(self.job.work / "look.npz", state, soft=soft)
        self.job.on_update(len(self.history) - 1, record)

    def _clusters_before(self) -> np.ndarray:
        """Clusters (N,) at the last look, or those of the start."""
        return self.assignments[-1].numpy() if self.assignments else self.start.clusters

    def _memberships(self, codes: np.ndarray, before: np.ndarray) -> tuple[State, np.ndarray]:
        """Memberships (N, K) as the method reads them off the codes.

        A method that leaves that to the start's clusterer has it fitted anew. New clusters take
        the numbers of those of `before` that they share most samples with.

        Returns:
            The clusterer's state, empty if the method has memberships itself, and the memberships.
        """
        soft = self._soft(codes)
        if soft is not None:
            return {}, soft
        if not self.history:
            return self.start.state, one_hot(self.start.clusters, self.n_clusters)
        state, clusters = self._reading(codes, self.history[-1]["effective_clusters"] - LOST)
        names = renumbering(clusters, before, self.n_clusters)
        return {**state, "names": names}, one_hot(names[clusters], self.n_clusters)

    def _reading(self, codes: np.ndarray, enough: float) -> tuple[State, np.ndarray]:
        """What the start's clusterer learns of the codes (N, D), and the clusters (N,).

        A map of codes can by bad luck lay two groups upon one another, and all that follows would
        learn to confuse them. So the codes are read again from other seeds until the clusters are
        worth `enough` equal ones; of readings that all lose more the one that loses least counts.
        """
        readings: list[tuple[float, State, np.ndarray]] = []
        for i in range(N_READINGS):
            job = dataclasses.replace(self.job, seed=self.job.seed + i)
            state, clusters = cluster_codes(job, codes)
            fitted = clusters[self.job.fitted & (clusters >= 0)]
            worth = health.effective(health.usage(fitted, self.n_clusters))
            readings.append((worth, state, clusters))
            if worth >= enough:
                break
        _, state, clusters = max(readings, key=lambda reading: reading[0])
        return state, clusters

    def _soft(self, codes: np.ndarray) -> np.ndarray | None:
        """The method's own memberships (N, K), if it has any."""
        z = torch.from_numpy(codes).to(self.device)
        soft = self.method.soft(self.cfg, self.parts, z)
        return None if soft is None else soft.cpu().numpy()[self.start.first]

    def _judge(self, clusters: np.ndarray, before: np.ndarray) -> Record:
        """The record of this update, from the samples that are learned from.

        Raises:
            UserError: a number is not finite.
        """
        fitted = self.job.fitted
        centres = self.parts["centres"].cpu().numpy() if "centres" in self.parts else None
        measured = health.measure(clusters[fitted], before[fitted], self.n_clusters, centres)
        losses = {name: float(value) for name, value in self.sums.items()}
        if not all(math.isfinite(value) for value in (*measured.values(), *losses.values())):
            raise UserError(f"the loss became {losses}; a lower optimizer.lr helps")
        return {"update": len(self.history), **losses, **measured}

    # --- what may follow a look --------------------------------------------------------------

    @torch.no_grad()
    def _reset(self) -> None:
        """Soft reset and recluster (Miklautz et al. 2025, arXiv:2501.03009).

        Clusters that a run has settled on are hard to leave: the encoder has separated them. So
        the encoder is made less sure of them, and what is clustered anew starts from where it
        then stands.
        """
        # 1. the encoder's weights shrink towards fresh ones
        torch.manual_seed(self._update_seed())
        fresh = Autoencoder(self.model.row, tuple(self.x.shape[1:])).to(self.device)
        share = self.cfg.reset_keep
        encoders = [model.parts["encoder"].parameters() for model in (self.model, fresh)]
        for weight, fresh_weight in zip(*encoders, strict=True):
            weight.mul_(share).add_(fresh_weight, alpha=1 - share)
        self._codes = None
        # 2. new clusters, under the numbers of those that they share most samples with
        codes = self.codes()  # (N, D)
        _, clusters = cluster_codes(self.job, codes)
        clusters = renumbering(clusters, self._clusters_before(), self.n_clusters)[clusters]
        self._replace_parts(codes, clusters)
        # 3. the targets are those of the new parts
        soft = self._soft(codes)  # (N, K)
        assert soft is not None, "a method without memberships of its own has no soft reset"
        self.target = self.method.target(self.cfg, self._fitted(soft))  # (F, K)
        # 4. the optimiser's momenta belong to weights that are gone
        for momenta in self.optimizer().state.values():
            for momentum in momenta.values():
                momentum.zero_()

    def _replace_parts(self, codes: np.ndarray, clusters: np.ndarray) -> None:
        """Begins the parts of the clusters (N,) anew; a number without fitted codes keeps its
        own."""
        used = np.unique(clusters[self.job.fitted & (clusters >= 0)])
        if len(used) == 0:
            return
        # `parts` wants numbers without gaps
        places = np.where(np.isin(clusters, used), np.searchsorted(used, clusters), -1)
        for name, part in self._parts(codes, places).items():
            self.parts[name][torch.from_numpy(used)] = part.to(self.device)

    def _collapse(self, record: Record) -> None:
        """Ends a run that has lost most of its clusters, as `on_collapse` says: with an error, or
        with the weights, the parts and the clusters of the start."""
        if self.cfg.on_collapse == "stop":
            raise UserError(
                f"the clusters collapsed at update {record['update']:.0f}: they are worth "
                f"{record['effective_clusters']:.1f} equal ones and the largest holds "
                f"{record['largest_share']:.0%}; a lower optimizer.lr helps, or on_collapse: "
                "start, which keeps the clusters of the start"
            )
        self.done = self.fell_back = True
        start = self.start
        self.model.load_state_dict(self.initial)
        self._codes = start.codes
        for name, part in self._parts(start.codes, start.clusters).items():
            self.parts[name].data.copy_(part)
        soft = one_hot(start.clusters, self.n_clusters)
        save_state(self.job.work / "look.npz", start.state, soft=soft)

    def _parts(self, codes: np.ndarray, clusters: np.ndarray) -> dict[str, Tensor]:
        """Where the method's parts begin, given codes (N, D) and clusters (N,) of all samples."""
        rows = self.job.fitted & (clusters >= 0)
        return self.method.parts(self.cfg, codes[rows], clusters[rows])

    def _fitted(self, array: np.ndarray) -> Tensor:
        """The fitted rows (F, ...) of an array (N, ...), on the device."""
        return torch.from_numpy(array[self.job.fitted]).to(self.device)

    def _update_seed(self) -> int:
        return self.job.seed * 100_003 + self.current_epoch

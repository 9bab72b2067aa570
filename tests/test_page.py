"""The page: its order, its finding, and names that cannot break out of it."""

from typing import Any

from narrows import page
from narrows.illustrations import Picture


def render(clusterings: list[dict[str, Any]], key: str = "deep") -> str:
    autoencoder = {
        **{"autoencoder": key, "split": "test", "code_size": 3, "n_parameters": 12_345},
        **{"mse": 0.0, "psnr": None, "ssim": None, "epochs_run": 0, "seconds": 1.0, "seed": 0},
    }
    pictures = [Picture("codes", "figures/a b.png", "a caption")]
    return page.render(
        dataset="toy",
        shape=(64,),
        n_per_split={"train": 1000, "val": 100, "test": 100},
        labelled=True,
        baselines=["pixels"],
        autoencoders=[autoencoder],
        clusterings=clusterings,
        encoder_pictures={row["encoder"]: pictures for row in clusterings} | {key: pictures},
        clustering_pictures={row["clustering"]: pictures for row in clusterings},
    )


def clustering(key: str, encoder: str, acc: float) -> dict[str, Any]:
    row = dict.fromkeys(("nmi", "ari", "purity", "silhouette", "coverage", "seconds"), 0.5)
    names = {"clustering": key, "encoder": encoder, "clusterer": "kmeans", "split": "test"}
    return {**names, **row, "acc": acc, "n_clusters_found": 10}


def test_names_are_escaped() -> None:
    evil = "<script>alert(1)</script>"
    html = render([clustering(evil, evil, 0.5)], key=evil)
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4
    assert 'src="figures/a%20b.png"' in html


def test_the_finding_compares_the_best_learned_code_with_the_best_baseline() -> None:
    rows = [
        clustering("pixels-k", "pixels", 0.54),
        clustering("deep-k", "deep", 0.5),
        clustering("deep-g", "deep", 0.75),
    ]
    html = " ".join(render(rows).split())
    assert "best of 2 clusterings of learned codes is <b>deep-g</b>" in html
    assert "learning the code gained 21.0 points" in html
    assert "±9.8 points" in html  # 1.96 * sqrt(.25 / 100)
    assert "12,345" in html
    assert "learned codes" not in render(rows[1:])  # nothing to compare with


def test_undefined_scores_come_last() -> None:
    rows = [{"silhouette": value, "acc": None} for value in (None, -0.5, 0.25)]
    order = [row["silhouette"] for row in page.ranked(rows, labelled=False)]
    assert order == [0.25, -0.5, None]

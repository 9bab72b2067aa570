"""The page: its order, its finding, and names that cannot break out of it."""

from typing import Any

from narrows.report import page, tables
from narrows.report.artifacts import SearchResult
from narrows.report.encoder_figures import Picture


def render(
    clusterings: list[dict[str, Any]], key: str = "deep", labelled: bool = True, **changed: Any
) -> str:
    autoencoder = {
        **{"autoencoder": key, "split": "test", "code_size": 3, "n_parameters": 12_345},
        **{
            "mse": 0.0,
            "bce": None,
            "psnr": None,
            "ssim": None,
            "epochs_run": 0,
            "seconds": 1.0,
            "seed": 0,
        },
    }
    code: dict[str, Any] = dict.fromkeys(("mean", "zeros_fraction", "active_units"), 0.5)
    code |= {"autoencoder": key, "code_size": 3, "dead_units": 1, "jacobian_norm": None}
    pictures = [Picture("codes", "figures/a b.png", "a caption")]
    given: dict[str, Any] = {
        "dataset": "toy",
        "shape": (64,),
        "n_per_split": {"train": 1000, "val": 100, "test": 100},
        "labelled": labelled,
        "baselines": ["pixels"],
        "autoencoders": [autoencoder],
        "clusterings": clusterings,
        "codes": [code | dict.fromkeys(tables.PROBES, 0.25 if labelled else None)],
        "variational": [],
        "seeds": [],
        "rungs": {},
        "claims": [],
        "searches": [],
        "overview_pictures": [],
        "search_pictures": {},
        "encoder_pictures": {row["encoder"]: pictures for row in clusterings} | {key: pictures},
        "clustering_pictures": {row["clustering"]: pictures for row in clusterings},
    }
    return page.render(**given | changed)


def clustering(key: str, encoder: str, acc: float) -> dict[str, Any]:
    row = dict.fromkeys(
        ("nmi", "ari", "purity", "acc_covered", "silhouette", "coverage", "seconds"), 0.5
    )
    names = {"clustering": key, "encoder": encoder, "clusterer": "kmeans", "split": "test"}
    return {**names, **row, "acc": acc, "n_clusters_found": 10}


def test_seeds_tell_what_labels_would_have_gained() -> None:
    row: dict[str, Any] = dict.fromkeys(tables.SEED_COLUMNS, 0.5)
    row |= {"clustering": "deep-k", "n_seeds": 3, "gap": 0.0625, "acc_sd": None}
    html = render([clustering("deep-k", "deep", 0.5)], seeds=[row])
    assert '<section id="seeds">' in html
    assert "<td>0.062</td>" in html
    unlabelled = render([], labelled=False, seeds=[row])
    assert "Agreement" in unlabelled
    assert "0.062" not in unlabelled


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


def test_a_search_shows_its_front_best_first_and_what_was_trained() -> None:
    values = {1: (0.25, 8), 2: (0.125, 32), 3: (0.5, 64)}
    trials = [
        {"trial": n, "params": {"lr": 0.00125 * n}, "error": error, "size": size}
        for n, (error, size) in values.items()
    ]
    search = SearchResult("small", "toy-small-1", ("error", "size"), trials, front=[1, 2], winner=2)
    html = " ".join(render([], searches=[search]).split())
    second, first = html.index(">1</th>"), html.index('>2<span class="tag">trained</span></th>')
    assert first < second
    assert ">3</th>" not in html
    assert '<td>0.125</td><td>32</td><td class="word drawn">lr 0.0025</td>' in html


def test_undefined_scores_come_last() -> None:
    rows = [{"silhouette": value, "acc": None} for value in (None, -0.5, 0.25)]
    order = [row["silhouette"] for row in page.ranked(rows, labelled=False)]
    assert order == [0.25, -0.5, None]


def test_sections_without_content_are_left_out() -> None:
    html = render([])
    assert "Robustness" not in html
    assert "Likelihood" not in html
    bound = {"autoencoder": "deep", "elbo": -101.25, "reconstruction": -90.0, "kl": 11.25}
    overview = [Picture(name, f"figures/{name}.png", "") for name in ("robustness", "code_sizes")]
    bounds = [bound | {"nll": 99.5, "active_units": 7}]
    html = render([], overview_pictures=overview, variational=bounds)
    assert "<td>-101.25</td>" in html
    assert html.count('src="figures/') == 3
    assert 'href="robustness.csv"' in html


def test_probes_are_shown_with_labels_only() -> None:
    assert '<td class="bar" style="background-size: 25.0% 60%">0.250</td>' in render([])
    assert "Linear probe" not in render([], labelled=False)


def test_an_encoder_shows_three_pictures_and_folds_the_rest_away() -> None:
    names = ("samples", "neighbours", "map", "kl_units")
    pictures = [Picture(name, f"figures/{name}.png", f"of {name}") for name in names]
    html = render([], encoder_pictures={"deep": pictures})
    shown, folded = html.split("<details>")
    assert "of map" in shown
    assert "<summary>1 more: kl units</summary>" in folded
    assert "figures/kl_units.png" in folded
    assert '<a href="#encoder-deep">' in html
    assert 'id="encoder-deep"' in html
    assert html.count("<img ") == html.count('loading="lazy"')
    for name, is_chart in zip(names, (False, False, True, True), strict=True):
        tag = html.split(f'src="figures/{name}.png"')[1].split(">")[0]
        assert ('class="chart"' in tag) == is_chart

"""The page: its order, its finding, and names that cannot break out of it."""

import re
from typing import Any

from helpers.pages import clustering, render
from narrows.rendering import html as html_pages
from narrows.report.artifacts import SearchResult
from narrows.report.page import SavedFigure
from narrows.report.tables import SEED_COLUMNS, ranked


def test_seeds_tell_what_labels_would_have_gained() -> None:
    row: dict[str, Any] = dict.fromkeys(SEED_COLUMNS, 0.5)
    row |= {"clustering": "deep-k", "n_seeds": 3, "gap": 0.0625, "acc_sd": None}
    html = render([clustering("deep-k", "deep", 0.5)], tables={"seeds": [row]})
    assert '<section id="seeds">' in html
    assert "<td>0.062</td>" in html
    unlabelled = render([], labelled=False, tables={"seeds": [row]})
    assert "Agreement" in unlabelled
    assert "0.062" not in unlabelled


def test_names_are_escaped() -> None:
    evil = "<script>alert(1)</script>"
    html = render([clustering(evil, evil, 0.5)], key=evil)
    assert html.count("<script") == 1  # the page's own
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4
    assert 'src="figures/a%20b.png"' in html


def test_no_other_script_than_that_of_the_tables_may_run() -> None:
    html = render([])
    policy, script = (
        re.search(r"script-src '(.*?)'", html),
        re.search("<script>(.*)</script>", html, re.S),
    )
    assert policy is not None
    assert script is not None
    assert policy[1] == f"sha256-{html_pages.sha256(script[1])}"


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
    assert '<td>0.125</td><td>32</td><td class="word settings">lr 0.0025</td>' in html


def test_undefined_scores_come_last() -> None:
    rows = [{"neighbours": value, "acc": None} for value in (None, -0.5, 0.25)]
    order = [row["neighbours"] for row in ranked(rows, labelled=False)]
    assert order == [0.25, -0.5, None]


def test_sections_without_content_are_left_out() -> None:
    html = render([])
    assert "Robustness" not in html
    assert "Likelihood" not in html
    bound = {"autoencoder": "deep", "elbo": -101.25, "reconstruction": -90.0, "kl": 11.25}
    names = ("robustness", "code_sizes")
    overview = [SavedFigure(name, f"figures/{name}.png", "", is_chart=True) for name in names]
    bounds = [bound | {"nll": 99.5, "active_units": 7}]
    html = render([], figures={"overview": overview}, tables={"variational": bounds})
    assert "<td>-101.25</td>" in html
    assert html.count('src="figures/') == 3
    assert 'href="robustness.csv"' in html


def test_probes_are_shown_with_labels_only() -> None:
    assert '<td class="bar" style="background-size: 25.0% 60%">0.250</td>' in render([])
    assert "Linear probe" not in render([], labelled=False)


def test_an_encoder_shows_three_pictures_and_folds_the_rest_away() -> None:
    charts = {"samples": False, "neighbours": False, "map": True, "kl_units": True}
    figures = [
        SavedFigure(name, f"figures/{name}.png", f"of {name}", is_chart)
        for name, is_chart in charts.items()
    ]
    html = render([], figures={"encoders": {"deep": figures}})
    unfolded, folded = html.split("<details>")
    assert "of map" in unfolded
    assert "<summary>1 more: kl units</summary>" in folded
    assert "figures/kl_units.png" in folded
    assert '<a href="#encoder-deep">' in html
    assert 'id="encoder-deep"' in html
    assert html.count("<img ") == html.count('loading="lazy"')
    for name, is_chart in charts.items():
        tag = html.split(f'src="figures/{name}.png"')[1].split(">")[0]
        assert ('class="chart"' in tag) == is_chart


def test_colours_are_defined_once_for_all_pages() -> None:
    """Every page has base.css in it, itself or through its style sheet."""
    files = {file.name: file.read_text() for file in html_pages.TEMPLATES.iterdir()}
    parts = {part for text in files.values() for part in re.findall(r'include "(\S+)"', text)}
    pages = {
        name: text
        for name, text in files.items()
        if name.endswith(".html.j2") and name not in parts
    }
    assert len(pages) >= 6
    for name, text in pages.items():
        assert '{% include "base.css" %}' in text or "{{ style|safe }}" in text, name
    assert [name for name, text in files.items() if "--ink: #1f2328" in text] == ["base.css"]
    for name in ("findings.css", "gallery.css"):
        assert html_pages.style(name).startswith(files["base.css"][:100])

"""`python -m narrows table` on planted segments and anomalies: profiles, odd rows, rules."""

import csv
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from helpers.project import EXPERIMENT
from narrows.commands import table
from narrows.config import plugins
from narrows.data import table_frame
from narrows.data.tables import beyond
from narrows.data.tables import columns as table_columns
from narrows.data.tables.cells import cells
from narrows.data.tables.reading import Layout
from narrows.errors import UserError
from narrows.evaluation import outliers
from narrows.explore.table import page, profiles, rules
from narrows.store import clusterings, encoders

EVIL = "<script>alert(1)</script>"
RED = f"red {EVIL}"
N = 300


def columns() -> list[dict[str, Any]]:
    """A number, the same number twice as large, a colour, a date, a number with gaps."""
    plain = {"kind": "numeric", "low": 0.0, "high": 10.0, "has_missing": False}
    colour = {"kind": "categorical", "categories": [RED, "blue"]}
    date = {"kind": "date", "low": 0.0, "high": 864_000.0, "has_missing": False}
    return [
        {"name": EVIL, "features": [0, 1], **plain},
        {"name": "double", "features": [1, 2], **plain, "high": 20.0},
        {"name": "colour", "features": [2, 4], **colour},
        {"name": "since", "features": [4, 9], **date},
        {"name": "gaps", "features": [9, 11], **plain, "has_missing": True},
        {"name": "id", "kind": "names"},
    ]


def features() -> tuple[np.ndarray, np.ndarray]:
    """x and two segments: red ones begin at 0 and are old, blue ones at .6. Row 7 breaks the rule
    that the second number is twice the first."""
    rng = np.random.default_rng(0)
    segments = np.arange(N) % 2
    x = np.zeros((N, 11), np.float32)
    x[:, 0] = 0.6 * segments + rng.uniform(0, 0.3, N)
    x[:, 1] = x[:, 0]
    x[np.arange(N), 2 + segments] = 1
    x[:, 4] = 0.5 * segments + rng.uniform(0, 0.4, N)
    x[:, 5:9] = 0.5
    x[:, 9] = rng.uniform(0, 1, N)
    x[::10, 9:] = (0.5, 0.5)  # a gap is marked by 1/2
    x[7, 1] = 0
    return x, segments


@pytest.fixture
def page_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXPERIMENT, tmp_path / "params.yaml")
    x, segments = features()
    data, artifacts = Path("data/mnist_5k"), Path("artifacts/mnist_5k")
    for folder in (
        data / "schema",
        artifacts / "encoders/pca",
        artifacts / "clusterings/pca-kmeans",
    ):
        folder.mkdir(parents=True)
    np.save(data / "x.npy", x)
    np.save(data / "split.npy", np.zeros(len(x), np.int8))
    (data / "schema/schema.json").write_text(json.dumps({"dataset": "table", "columns": columns()}))
    beyond.write(data / "schema", np.zeros((N, 5), np.float32))
    with (data / "samples.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["path", "date"], *([f"<b>{i}</b>", ""] for i in range(N))])
    pca = plugins.load("baselines", "pca")
    state = pca.fit(pca.Config(code_size=5), x, seed=0)
    encoders.write_state(artifacts / "encoders/pca", state)
    config = {"kind": "baseline", "row": {"name": "pca", "code_size": 5}, "input_shape": [11]}
    encoders.write(artifacts / "encoders/pca", config, pca.encode(state, x), {}, {})
    info = {"row": {"encoder": "pca"}, "encoder": "pca"}
    clusterings.write(artifacts / "clusterings/pca-kmeans", info, {}, segments)
    return artifacts / "tables/pca-kmeans"


def records(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_page_profiles_clusters_and_names_odd_rows_with_their_columns(page_folder: Path) -> None:
    table.main(["pca-kmeans"])
    profile = [row for row in records(page_folder / "profile.csv") if row["cluster"] == "0"]
    colours = {row["category"]: row for row in profile if row["column"] == "colour"}
    assert (colours[RED]["here"], colours[RED]["elsewhere"]) == ("1", "0")
    effects = [abs(float(row["effect"])) for row in profile]
    assert effects == sorted(effects, reverse=True)
    assert profile[-1]["column"] == "gaps"
    odd = records(page_folder / "outliers.csv")
    assert odd[0]["row"] == "<b>7</b>"
    assert {odd[0]["column"], odd[1]["column"]} == {EVIL, "double"}
    double = next(row for row in odd if row["row"] == "<b>7</b>" and row["column"] == "double")
    assert float(double["value"]) == 0
    assert float(double["expected"]) > 2
    pairs = [(rule["if"], rule["then"]) for rule in records(page_folder / "rules.csv")]
    assert (f"colour = {RED}", "cluster 0") in pairs
    longer = [left for left, right in pairs if right == "cluster 0" and " and " in left]
    assert not [left for left in longer if f"colour = {RED}" in left], "they say no more"


def test_page_says_which_clusters_are_gaps(page_folder: Path) -> None:
    x, segments = features()
    x[segments == 0, 9:] = (0.5, 0.5)
    np.save("data/mnist_5k/x.npy", x)
    table.main(["pca-kmeans"])
    text = (page_folder / "index.html").read_text(encoding="utf-8")
    assert "mostly lack a value that others have: of <b>gaps</b> 1." in text
    assert "gaps = (missing)</th>" in text
    profile = [row for row in records(page_folder / "profile.csv") if row["cluster"] == "0"]
    assert ["1"] == [row["here"] for row in profile if row["column"] == "gaps"]


def test_a_value_outside_the_range_is_the_oddest_and_is_shown_in_full(page_folder: Path) -> None:
    """The range of `double` is 0 to 20; 1,000,000 lies 49,999 such ranges above it."""
    x, outside = np.load("data/mnist_5k/x.npy"), np.zeros((N, 5), np.float32)
    x[21, 1], outside[21, 1] = 1, 49_999
    np.save("data/mnist_5k/x.npy", x)
    beyond.write(Path("data/mnist_5k/schema"), outside)
    table.main(["pca-kmeans"])
    odd = records(page_folder / "outliers.csv")[0]
    assert (odd["row"], odd["column"], odd["value"]) == ("<b>21</b>", "double", "1e+06")
    assert "<b>double</b> 1,000,000" in (page_folder / "index.html").read_text(encoding="utf-8")
    beyond.write(Path("data/mnist_5k/schema"), outside[1:])
    with pytest.raises(UserError, match=r"beyond\.npz should be of shape \(300, 5\), found"):
        table.main(["pca-kmeans"])
    Path("data/mnist_5k/schema/beyond.npz").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"beyond\.npz is damaged"):
        table.main(["pca-kmeans"])


def test_no_row_is_odd_for_what_stands_for_its_gap(page_folder: Path) -> None:
    """Where a row has a gap, nothing else can be expected than that there is one, or none."""
    table.main(["pca-kmeans"])
    odd = [row for row in records(page_folder / "outliers.csv") if row["column"]]
    assert odd
    assert not [row for row in odd if row["value"] == row["expected"]], "as a value, or as a gap"
    x, used = np.load("data/mnist_5k/x.npy"), table_frame.used({"columns": columns()})
    compared = table_frame.with_gaps_of(x, np.full_like(x, 0.1), used)
    errors = np.abs(compared - x)
    assert errors[::10, 9].max() == 0, "the middle of the column, which is no value"
    assert errors[::10, 10].min() > 0, "the mark of the gap"
    assert errors[1:10, 9].max() > 0


def test_an_encoder_without_a_loss_tells_no_outlier(page_folder: Path) -> None:
    folder, x = Path("artifacts/mnist_5k/encoders/pca"), features()[0]
    encoders.write_state(folder, {})
    config = {"kind": "baseline", "row": {"name": "identity"}, "input_shape": [11]}
    encoders.write(folder, config, x, {}, {})
    table.main(["pca-kmeans"])
    html = (page_folder / "index.html").read_text(encoding="utf-8")
    assert "reconstructs the rows without a loss: there is no outlier to tell" in html
    assert records(page_folder / "outliers.csv") == []


def test_page_shows_names_as_names_and_loads_nothing(page_folder: Path) -> None:
    table.main(["pca-kmeans"])
    html = (page_folder / "index.html").read_text(encoding="utf-8")
    assert html.count("<script") == 2, "the data and the page's own"
    assert "unsafe" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&lt;b&gt;7&lt;/b&gt;" in html
    assert "default-src 'none'" in html
    assert not re.search(r"""(src=|https?://|style=)""", html)


def test_mistakes_are_sentences(page_folder: Path) -> None:
    file = Path("data/mnist_5k/schema/schema.json")
    file.write_text("{}")
    with pytest.raises(UserError, match="describes no table; found nothing"):
        table.main(["pca-kmeans"])
    file.unlink()
    with pytest.raises(UserError, match=r"schema\.json is missing; run `dvc repro prepare`"):
        table.main(["pca-kmeans"])
    assert not page_folder.exists()


def test_frame_has_the_units_of_the_table() -> None:
    """The date lies between 0 and 10 days; row 0 has a gap."""
    x, _ = features()
    frame = table_frame.decoded(x, table_frame.used({"columns": columns()}))
    assert list(frame) == [EVIL, "double", "colour", "since", "gaps"]
    np.testing.assert_allclose(frame["double"][:7], 2 * frame[EVIL][:7], rtol=1e-5)
    assert frame["colour"].tolist()[:2] == [RED, "blue"]
    assert frame["gaps"].isna().tolist()[:3] == [True, False, False]
    days = frame["since"][1] - pd.Timestamp(0)
    assert abs(days / pd.Timedelta(days=1) - 10 * x[1, 4]) < 1e-3


def test_a_gap_that_was_encoded_is_a_gap_again() -> None:
    source = pd.DataFrame({"n": [1.0, 2.0, math.nan, 4.0], "c": ["r", "g", "r", None]})
    sheet = {n: cells(n, pa.chunked_array([pa.array(source[n])])) for n in source}
    layout = Layout(",", ".", None, None, 0, ())
    schema = [table_columns.recognise(column, None, layout, 30) for column in sheet.values()]
    table_columns.place(schema)
    x = table_columns.encode(sheet, len(source), schema, {}).x
    frame = table_frame.decoded(x, table_frame.used({"columns": schema}))
    assert frame["n"].isna().tolist() == [False, False, True, False]
    assert frame["c"].tolist() == ["r", "g", "r", "(missing)"]


def test_means_are_compared_in_pooled_deviations_gaps_left_out() -> None:
    """2 and 4 (variance 2) against 6 and 8 (2): d = -4 / sqrt 2; a gap in three against none:
    h = 2 asin sqrt(1 / 3) = 1.231."""
    frame = pd.DataFrame({"n": [2.0, 4.0, math.nan, 6.0, 8.0], "flat": [1.0] * 5})
    trait, gap = profiles.traits(frame, np.array([0, 0, 0, 1, 1]))[0]
    assert gap[:4] == ("n", "(missing)", pytest.approx(1 / 3), 0)
    assert gap.effect == pytest.approx(2 * math.asin(math.sqrt(1 / 3)))
    assert (trait.column, trait.category, trait.here, trait.elsewhere) == ("n", None, 3, 7)
    assert trait.effect == pytest.approx(-4 / math.sqrt(2))
    apart = profiles.traits(pd.DataFrame({"n": [1.0, 1.0, 2.0, 2.0]}), np.array([0, 0, 1, 1]))
    assert apart[1][0].effect == math.inf
    assert profiles.traits(pd.DataFrame({"c": ["a", "b"]}), np.zeros(2, int)) == {0: []}


def test_a_cluster_that_is_made_of_gaps_says_so() -> None:
    """All numbers of cluster 1 and all dates of cluster 2 are missing, and numbers are the same
    elsewhere: h = 2 asin 1 = pi. Of the rows beside cluster 2 half have no number: h = -pi / 2."""
    n = np.array([1.0, 2.0, 2.0, 3.0] * 3)
    days = np.arange(12).astype("datetime64[D]").astype("datetime64[s]")
    clusters = np.arange(12) // 4
    frame = pd.DataFrame({"n": n, "day": days})
    frame.loc[clusters == 1, "n"] = math.nan
    frame.loc[clusters == 2, "day"] = pd.NaT
    traits = profiles.traits(frame, clusters)
    assert traits[1][0] == ("n", "(missing)", 1, 0, pytest.approx(math.pi))
    assert traits[2][0] == ("day", "(missing)", 1, 0, pytest.approx(math.pi))
    names = profiles.names(traits, ["day"])
    assert names[1] == "n (missing), late day"
    assert profiles.gaps(traits) == {"n": [1], "day": [2]}
    assert names[2] == "day (missing), n not (missing)"
    mined = rules.mine(frame, clusters, traits).rules
    pairs = set(zip(mined["if"], mined["then"], strict=True))
    assert {("n = (missing)", "cluster 1"), ("cluster 2", "day = (missing)")} <= pairs


def test_values_that_are_there_as_elsewhere_name_no_cluster() -> None:
    """No gap against one in ten: h = -2 asin sqrt .1 = -.64, a medium effect."""
    frame = pd.DataFrame({"n": [1.0] * 10 + [math.nan] + [1.0] * 9})
    traits = profiles.traits(frame, np.arange(20) // 10)
    assert traits[0][0].effect == pytest.approx(-2 * math.asin(math.sqrt(0.1)))
    assert profiles.names(traits) == {1: "n (missing)"}


def test_names_are_the_columns_and_values_that_set_a_cluster_apart_most() -> None:
    """Numbers of two clusters, 0 and 1 (mean .5, variance 1/4 twice, of 4 and 4 in each: sums of
    squares 1 and 1, pooled 2 / 6) against 4 and 5: d = -4 / sqrt(1 / 3) = -6.93; red is in all of
    cluster 0 and a half of the other, h = pi - pi / 2 = 1.57; what differs by .2 is no name."""
    n = [0.0, 0, 1, 1, 4, 4, 5, 5]
    colours = ["red"] * 6 + ["blue"] * 2
    even = [1.0, 2, 1, 2, 1, 2, 1, 2.1]
    frame = pd.DataFrame({"colour": colours, "size": n, "since": n, "even": even})
    traits = profiles.traits(frame, np.arange(8) // 4)
    names = profiles.names(traits, dates=["since"])
    assert names == {
        0: "low size, early since, colour red",
        1: "high size, late since, colour blue",
    }
    assert traits[0][0].effect == pytest.approx(-4 * math.sqrt(3))


def test_a_column_that_cannot_be_reconstructed_hides_nothing() -> None:
    """Column 0 is always off by 1, column 1 by .01 but in the last row by .1."""
    x = np.array([[1.0, 0.01]] * 9 + [[1.0, 0.1]])
    arrays = (x, np.zeros_like(x), np.array([1, 2]))
    relative = outliers.by_column(*arrays, outliers.usual(*arrays), np.zeros((10, 2)))
    assert outliers.scores(relative).argmax() == 9
    assert relative[9].argmax() == 1


def test_rules_need_confidence_and_say_it_shortly() -> None:
    """a is high exactly in cluster 1; b is noise of two values; c is one value."""
    a = np.arange(90.0)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": a, "b": rng.choice(["x", "y"], 90), "c": "same"})
    clusters = (a >= 60).astype(int)
    mined = rules.mine(frame, clusters, profiles.traits(frame, clusters))
    records = {(row["if"], row["then"]): row for row in mined.rules.to_dict("records")}
    rule = records["a is high", "cluster 1"]
    assert (rule["confidence"], rule["support"]) == (1, pytest.approx(1 / 3))
    assert rule["lift"] == pytest.approx(3)
    assert ("a is high and b = x", "cluster 1") not in records
    support = dict(zip(mined.itemsets["items"], mined.itemsets["support"], strict=True))
    assert support["a is high and cluster 1"] == pytest.approx(1 / 3)
    assert mined.min_support == 0.05


def test_one_cluster_alone_has_a_page(page_folder: Path) -> None:
    folder = page_folder.parents[1] / "clusterings/pca-kmeans"
    clusterings.write(folder, {"row": {}, "encoder": "pca"}, {}, np.zeros(N, int))
    table.main(["pca-kmeans"])
    assert "no other row to compare with" in (page_folder / "index.html").read_text(
        encoding="utf-8"
    )
    assert page.value(math.inf) == "\u221e"

"""Tables: kinds of columns, their numbers by hand, and new rows by the schema that was saved."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from narrows.data.datasets import points, table
from narrows.data.datasets._base import Dataset
from narrows.data.tables.cells import cells
from narrows.errors import UserError

N = 40


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows() -> pd.DataFrame:
    day = pd.date_range("2024-01-01", periods=N)
    return pd.DataFrame(
        {
            "customer id": [1000 + 7 * i for i in range(N)],
            "line": range(N),
            "mail": [f"{i}@example.org" for i in range(N)],
            "age": [20 + i // 2 for i in range(N)],
            "gap": [None if i == 3 else float(i % 5) for i in range(N)],
            "city": ["Rom", "Köln"] * (N // 2),
            "vip": [True, False] * (N // 2),
            "since": day.strftime("%d.%m.%Y"),
            "at": day.strftime("%Y-%m-%d %H:%M"),
            "unit": ["kg"] * N,
            "void": [None] * N,
            "note": [f"note {i % 35}" for i in range(N)],
            "segment": ["a", "b"] * (N // 2),
        }
    )


def load(frame: pd.DataFrame, **options: Any) -> Dataset:
    frame.to_csv("rows.csv", index=False)
    cfg = table.Config(path="rows.csv", **options)
    table.fetch(cfg, Path("raw"))
    return table.load(cfg, Path("raw"))


def test_kinds_are_recognised() -> None:
    data = load(rows(), labels="segment", names="mail")
    assert {c["name"]: c["kind"] for c in data.schema["columns"]} == {
        "customer id": "identifier",
        "line": "identifier",
        "mail": "names",
        "age": "numeric",
        "gap": "numeric",
        "city": "categorical",
        "vip": "categorical",
        "since": "date",
        "at": "date",
        "unit": "constant",
        "void": "empty",
        "note": "almost all different",
        "segment": "labels",
    }
    assert data.names[:2] == ["0@example.org", "1@example.org"]
    assert data.label_names == ("a", "b")
    assert data.x.shape == (N, 1 + 2 + 2 + 2 + 5 + 5)
    assert len(data.schema["features"]) == data.x.shape[1]
    assert not any("segment" in name for name in data.schema["features"])
    assert "left out: customer id (identifier), line (identifier)" in data.warnings[0]


def test_numbers_by_hand() -> None:
    """The quantiles .001 and .999 are taken inside the least and the largest value: 1 and 38 of a,
    2 and 72 of b. A missing value is the median, 37, half of the way, and told of beside."""
    wild = [0.0, *range(1, 39), 1e9]
    data = load(pd.DataFrame({"a": wild, "b": [*[None] * 2, *range(0, 76, 2)]}))
    a, b, missing = data.x.T
    assert a[[0, 1, 38, 39]].tolist() == [0, 0, 1, 1]
    assert a[19] == pytest.approx(18 / 37)
    assert missing.tolist() == [0.5, 0.5, *[0] * (N - 2)]
    assert b[0] == pytest.approx(0.5)


def test_dates_by_hand() -> None:
    """A week: the 1st of January 1970 was a Thursday, so that 3.5 days on its cosine is -1;
    waves are .15 high around 1/2."""
    days = pd.date_range("1970-01-01", periods=15, freq="12h").astype(str)
    data = load(pd.DataFrame({"d": days, "n": [0, 1, *[2] * 13]}))
    names = data.schema["features"]
    cosine = data.x[:, names.index("d cosine of week")]
    assert cosine[[0, 7, 14]].tolist() == pytest.approx([0.65, 0.35, 0.65], abs=1e-6)


def test_rare_categories_are_other() -> None:
    """Shares 1/2, 1/4, 1/4: ones and zeros would have the variance 1 - 3/8 together, and with
    .04 instead a one becomes (.04 / .625)^(1/2) = .253."""
    words = ["a"] * 20 + ["b"] * 10 + ["c"] * 6 + ["d"] * 4
    data = load(pd.DataFrame({"w": words, "n": range(0, 80, 2)}), max_categories=3, numeric=("n",))
    assert data.schema["features"] == ["w=a", "w=b", "w=(other)", "n"]
    assert data.x[:, :3].sum(axis=0).tolist() == pytest.approx([5.06, 2.53, 2.53], abs=0.01)
    assert data.x[:, :3].var(axis=0).sum() == pytest.approx(0.04, rel=1e-4)
    assert not [text for text in data.warnings if text.startswith("column ")]


def test_parquet_is_as_csv() -> None:
    frame = rows().drop(columns=["void"])
    expected = load(frame)
    frame.to_parquet("rows.parquet")
    cfg = table.Config(path="rows.parquet")
    table.fetch(cfg, Path("raw"))
    np.testing.assert_array_equal(table.load(cfg, Path("raw")).x, expected.x)


def test_new_rows_are_encoded_the_same_way_and_checked() -> None:
    frame = rows()
    data = load(frame, labels="segment", names="mail")
    schema = json.loads(json.dumps(data.schema))  # as saved
    np.testing.assert_array_equal(table.encode(schema, {}, Path("rows.csv")).x, data.x)

    odd = frame.astype({"age": object})
    odd.loc[0, ["city", "age", "since"]] = ["Paris", "old", "never"]
    odd.to_csv("odd.csv", index=False)
    new = table.encode(schema, {}, Path("odd.csv"))
    assert new.warnings == [
        "odd.csv: column 'age': 1 values are no numbers and count as missing, for example old; "
        "1 gaps count as its middle, since the rows that were learned from have none",
        "odd.csv: column 'city': 1 values of other categories, for example Paris",
        "odd.csv: column 'since': 1 values are no dates and count as missing, for example never; "
        "1 gaps count as its middle, since the rows that were learned from have none",
    ]
    assert new.names[0] == "0@example.org"
    city = [i for i, name in enumerate(schema["features"]) if name.startswith("city=")]
    assert new.x[0, city].tolist() == [0, 0]
    np.testing.assert_array_equal(new.x[1:], data.x[1:])

    frame.drop(columns=["city"]).to_csv("less.csv", index=False)
    with pytest.raises(UserError, match=r"^less.csv: column 'city' is missing; found customer id,"):
        table.encode(schema, {}, Path("less.csv"))


def test_rows_without_a_label_are_left_out() -> None:
    frame = rows()
    frame.loc[2, "segment"] = None
    data = load(frame, labels="segment")
    assert len(data.x) == N - 1
    assert data.skipped == [("row 3", "no label")]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "rows.csv: not a table that can be read: it has no header"),
        ("a,b\n1,2\n", {}, r"has 1 row and no column to learn from \(2 columns: none"),
        ("a\n", {}, "has 0 rows and no column to learn from"),
        ("a,a\n1,2\n2,3\n", {"labels": "b"}, "dataset.labels: .*rows.csv has no column 'b'; it"),
        ("a\nx\ny\n", {"numeric": ("a",)}, "column 'a' holds no value of the kind given"),
    ],
)
def test_a_bad_table_is_a_sentence(text: str, options: dict[str, Any], message: str) -> None:
    Path("rows.csv").write_text(text)
    cfg = table.Config(path="rows.csv", **options)
    table.fetch(cfg, Path("raw"))
    with pytest.raises(UserError, match=message):
        table.load(cfg, Path("raw"))


def test_told_kinds_win() -> None:
    frame = pd.DataFrame({"code": [1, 2] * 20, "line": range(N)})
    data = load(frame, categorical=("code",), numeric=("line",))
    assert data.schema["features"] == ["code=1", "code=2", "line"]


def test_categories_are_the_same_with_gaps() -> None:
    """Whole numbers become floats as soon as one is missing."""
    for text in (["1.0", ""], ["1", None], [" 1 ", ""]):
        column = cells("c", pa.chunked_array([pa.array(text, pa.large_string())]))
        assert column.rows(column.words()).tolist() == ["1", None]
    for numbers, words in (
        (pa.array([1, 2]), ["1", "2"]),
        (
            pa.array([1234500, 1234501.0, None, 0.12345678, -0.0]),
            ["1234500", "1234501", None, "0.12345678", "0"],
        ),
        (pa.array([0.1, 3.0, float("nan")], pa.float32()), ["0.1", "3", None]),
        (pa.array([2**63 + 1, 2**53 + 1], pa.uint64()), [str(2**63 + 1), str(2**53 + 1)]),
        (pa.array([True, None]), ["True", None]),
    ):
        column = cells("c", pa.chunked_array([numbers]))
        assert column.rows(column.words()).tolist() == words


@pytest.mark.parametrize("options", [{}, {"ignore": ("tags", "place")}])
def test_lists_and_mappings_of_a_parquet_are_left_out(options: dict[str, Any]) -> None:
    tags = [[i % 3, 1] for i in range(N)]
    place = [{"city": i % 2} for i in range(N)]
    pd.DataFrame({"n": [*range(N - 1), 99], "tags": tags, "place": place}).to_parquet("r.parquet")
    cfg = table.Config(path="r.parquet", **options)
    table.fetch(cfg, Path("raw"))
    data = table.load(cfg, Path("raw"))
    kind = "ignored" if options else "nested"
    expected = f"3 columns: 1 numeric; left out: tags ({kind}), place ({kind})"
    assert data.warnings[0] == expected
    assert data.schema["features"] == ["n"]
    json.dumps(data.schema)


def test_points_lie_near_a_sheet_in_the_unit_cube() -> None:
    cfg = points.Config(n_points=200, noise=0.0)
    points.fetch(cfg, Path("raw"))
    x = points.load(cfg, Path("raw")).x
    assert x.shape == (200, 3)
    assert x.min() == 0
    assert x.max() == 1

"""Columns of free text: what is one, its numbers, new rows, and what happens without skrub."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from narrows.data import prepare, table_frame
from narrows.data.datasets import table
from narrows.data.datasets._base import Dataset
from narrows.errors import UserError
from narrows.explore.table import profiles
from narrows.store.reading import read_arrays, read_schema

N = 80
PLACES = "north south east west upper lower inner outer old new".split()
JOBS = {
    "care": ["night nurse", "head nurse", "nursing aide", "nurse trainee"],
    "code": ["web developer", "lead developer", "developer tools", "software developer"],
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows() -> pd.DataFrame:
    """Care and code in turns, whose jobs are all different; the balance says nothing of them."""
    words = [
        f"{job} who works in the {place} rooms"
        for place in PLACES
        for pair in zip(*JOBS.values(), strict=True)
        for job in pair
    ]
    balances = np.random.default_rng(0).standard_t(2, N).round(2)
    mails = [f"{i}.person@example.org" for i in range(N)]
    return pd.DataFrame({"job": words, "balance": balances, "mail": mails})


def load(frame: pd.DataFrame, **options: Any) -> Dataset:
    frame.to_csv("rows.csv", index=False)
    cfg = table.Config(path="rows.csv", **options)
    table.fetch(cfg, Path("raw"))
    return table.load(cfg, Path("raw"))


def saved(data: Dataset) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The schema and its arrays as files hold them."""
    prepare.save_schema(Path("data/schema"), data)
    return read_schema(Path("data")), read_arrays(Path("data/schema/arrays.npz"))


def halves(x: np.ndarray) -> float:
    """Share of rows that K-means with two clusters puts with the others of their kind."""
    from sklearn.cluster import KMeans

    clusters = KMeans(2, n_init=5, random_state=0).fit_predict(x)
    share = float((clusters == np.arange(N) % 2).mean())
    return max(share, 1 - share)


def test_text_separates_what_numbers_do_not_and_new_rows_are_encoded_without_skrub(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("skrub", reason="pip install 'narrows[tables]'")
    Path("data").mkdir()
    data = load(rows())
    kinds = {c["name"]: c["kind"] for c in data.schema["columns"]}
    assert kinds == {"job": "text", "balance": "numeric", "mail": "identifier"}
    assert data.warnings[0].startswith("3 columns: 1 numeric, 1 text; left out: mail")
    assert len(data.schema["features"]) == data.x.shape[1]
    n_numbers = data.schema["columns"][0]["n_numbers"]
    assert data.x[:, :n_numbers].var(axis=0).max() == pytest.approx(0.04, rel=0.05)
    assert halves(data.x) > 0.9
    assert halves(load(rows(), ignore=("job",)).x) < 0.7
    np.testing.assert_array_equal(load(rows()).x, data.x)

    monkeypatch.setitem(sys.modules, "skrub", None)
    schema, arrays = saved(data)
    np.testing.assert_array_equal(table.encode(schema, arrays, Path("rows.csv")).x, data.x)
    unseen = rows()[:2].assign(job=["Nurses (far away)", "Developers (far away)"])
    unseen.to_csv("new.csv", index=False)
    new = table.encode(schema, arrays, Path("new.csv"))
    assert not new.warnings
    centres = np.stack([data.x[i::2, :n_numbers].mean(axis=0) for i in range(2)])
    apart = np.linalg.norm(new.x[:, None, :n_numbers] - centres, axis=2)
    assert apart.argmin(axis=1).tolist() == [0, 1]


def test_missing_text_and_text_like_no_other_lie_in_the_middle() -> None:
    pytest.importorskip("skrub", reason="pip install 'narrows[tables]'")
    Path("data").mkdir()
    frame = rows()
    frame.loc[3, "job"] = None
    data = load(frame)
    *numbers, mark = data.x[3, : data.schema["columns"][0]["features"][1]]
    assert set(numbers) == {0.5}
    assert mark == 0.5
    assert data.schema["features"][len(numbers)] == "job is missing"
    schema, arrays = saved(data)
    rows()[:1].assign(job="????? \U0001f642").to_csv("new.csv", index=False)
    new = table.encode(schema, arrays, Path("new.csv"))
    assert new.warnings == [
        "new.csv: column 'job': 1 values share no three letters with others and count as missing, "
        "for example ????? \U0001f642"
    ]
    np.testing.assert_array_equal(new.x[0, :-1], data.x[3, :-1])
    with pytest.raises(UserError, match=r"arrays\.npz has nothing of column 'job'; run"):
        table.encode(schema, {}, Path("new.csv"))

    decoded = table_frame.decoded(data.x, table_frame.used(schema))
    assert decoded["job"].isna().all()
    traits = profiles.traits(decoded, np.arange(N) % 2)
    assert {trait.column for trait in traits[0]} == {"balance"}


def test_without_skrub_text_is_left_out_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skrub", None)
    data = load(rows())
    assert data.schema["features"] == ["balance"]
    assert data.warnings[:2] == [
        "3 columns: 1 numeric; left out: job (identifier), mail (identifier)",
        "job: free text, of which `pip install 'narrows[tables]'` makes numbers; then run "
        "`dvc repro -f prepare`",
    ]
    with pytest.raises(UserError, match="column 'mail' is free text, of which `pip install"):
        load(rows(), text=("mail",))


def test_a_column_that_is_said_to_be_text_is_one() -> None:
    pytest.importorskip("skrub", reason="pip install 'narrows[tables]'")
    data = load(rows(), text=("mail",), ignore=("job",))
    assert data.schema["columns"][2]["kind"] == "text"
    flat = rows().assign(job=["a b", "c d"] * (N // 2))
    with pytest.raises(UserError, match=r"dataset\.text: column 'job' has fewer than three values"):
        load(flat, text=("job",))

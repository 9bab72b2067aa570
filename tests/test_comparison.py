"""Rows, git revisions and MLflow runs side by side; a small project with two commits."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import finished
from narrows import tracking
from narrows.commands import compare
from narrows.errors import UserError
from narrows.explore.compare import differences
from narrows.explore.compare.sides import Side, Spread
from narrows.store import choices, rows
from narrows.store.choices import ChosenK
from narrows.tracking import lookup
from narrows.tracking.tree import Tree

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


def side(name: str, **known: Any) -> Side:
    return Side(name, "by hand", **known)


def test_only_params_that_differ_are_told() -> None:
    first = side("a", params={"code_size": "6", "loss": "bce"})
    second = side("b", params={"code_size": "8", "loss": "bce", "lr": "0.1"})
    rows = [(row.key, row.values) for row in differences.params([first, second])]
    assert rows == [("code_size", ["6", "8"]), ("lr", [None, "0.1"])]


def test_what_a_side_does_not_know_differs_in_nothing() -> None:
    """Of the third side params.yaml is known, and no default; the first has no error at all."""
    first = side("a", params={"loss": "bce", "rho": "0.9"}, metrics={"test/acc": 0.5})
    second = side("b", params={"loss": "mse", "rho": "0.9"}, metrics={"test/mse": 0.25})
    third = side("c", params={"loss": "bce"}, has_all_params=False, metrics={"test/mse": 0.125})
    all_three = differences.compare([first, second, third])
    assert [(row.key, row.values) for row in all_three.params] == [("loss", ["bce", "mse", "bce"])]
    assert [row.key for row in all_three.differing] == ["test/mse"]
    old = differences.compare([first, third])
    assert (old.params, old.n_params, old.metrics) == ([], 1, [])


def test_a_difference_over_seeds_has_its_error_and_counts_beyond_two_of_them() -> None:
    """Deviations .03 and .04 of 4 seeds each: the error is .05 / 2."""
    first, second, third = (
        side(str(mean), spread={"acc": Spread(mean, sd, 4)}, metrics={"test/mse": 1 - mean})
        for mean, sd in ((0.5, 0.03), (0.54, 0.04), (0.56, 0.04))
    )
    acc, mse = differences.metric_rows([first, second, third])
    assert [score.gain for score in acc.scores] == [
        None,
        pytest.approx(0.04),
        pytest.approx(0.06),
    ]
    assert [score.error for score in acc.scores] == [None, *[pytest.approx(0.025)] * 2]
    assert (acc.is_better(1), acc.is_better(2)) == (None, True)
    assert (mse.is_better(1), mse.scores[1].error) == (True, None)  # less is better


def test_changed_samples_are_those_of_the_best_matching() -> None:
    """Clusters 0, 0, 0, 1, 1 against 7, 7, 4, 4, -1: 7 is 0, 4 is 1, noise is nobody's."""
    first = side("a", clusters={"": np.array([0, 0, 0, 1, 1])})
    second = side("b", clusters={"": np.array([7, 7, 4, 4, -1])})
    (agreement,) = differences.agreements([first, second])
    assert agreement.changed.tolist() == [2, 4]
    assert {(m.before, m.after): m.rows.tolist() for m in agreement.moves} == {
        (0, 1): [2],
        (1, -1): [4],
    }
    first.data_digest, second.data_digest = "x", "y"
    assert differences.agreements([first, second]) == []  # other samples


def git(*words: str) -> None:
    who = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A commit whose K-means sees two clusters, and a working tree where it sees ten."""
    folder = tmp_path_factory.mktemp("comparison")
    finished.make(folder, "encode", "cluster")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        git("init", "--quiet")
        git("add", "params.yaml", "artifacts")  # stands for DVC's cache: a file of the commit
        git("commit", "--quiet", "-m", "ten clusters")
        choices.write_k(Path("artifacts/digits/choose_k"), ChosenK([], None, 3))
        finished.run(folder, "cluster")
        yield folder


def page(*sides: str) -> str:
    assert compare.main([*sides, "--output", "page.html"]) == 0
    return Path("page.html").read_text()


def test_a_row_against_its_revision(project: Path, capsys) -> None:
    text = page("narrow-kmeans", "HEAD")
    output = capsys.readouterr().out
    assert re.search(r"n_clusters +3 +10\n", output)
    assert re.search(r"narrow-kmeans, HEAD +0\.\d{4} +[\d,]+ of 1,797\n", output)
    assert "row narrow-kmeans of commit" in text
    assert "results/digits: no scores of narrow-kmeans" in text
    assert "More columns: scroll sideways" in text
    assert text.count('<img class="thumbs" src="data:image/png;base64,') >= 3
    assert text.count("MSE of these") == 2 * 2  # the caption and the words for who cannot see


def test_results_that_are_in_no_cache_leave_params_out_that_may_be_defaults(
    project: Path, capsys
) -> None:
    """The second commit has params.yaml only, as after `dvc repro` without dvc.lock."""
    git("rm", "-r", "--quiet", "--cached", "artifacts")
    git("commit", "--quiet", "-m", "no results")
    text = page("narrow", "HEAD")
    git("reset", "--quiet", "HEAD~1")
    missing = "default params of narrow; samples and reconstructions of narrow (not computed, or "
    missing += "not in DVC's cache: commit dvc.lock after `dvc repro`, or `dvc pull`)"
    output = capsys.readouterr().out
    assert f"missing: {missing}\n" in output
    assert "no param differs" in output
    assert "page.html: 0 of " in output
    assert "or `dvc pull`" in text


def test_elsewhere_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UserError, match="'a' is no row of params"):
        compare.main(["a", "b"])
    assert os.listdir() == []


def test_revisions_and_the_page_needs_no_network(project: Path) -> None:
    text = page("HEAD", "HEAD")
    assert "commit " in text
    assert "narrow-kmeans" in text
    assert "0 of 1,797" in text
    assert not re.findall(r'(?:src|href)="(?!data:)|@import|url\(', text)


def test_a_run_whose_result_is_replaced_is_told_and_shown(project: Path, capsys) -> None:
    old, new = tracking.open_client().search_runs(
        [tracking.open_client().get_experiment_by_name("digits").experiment_id],
        "attributes.run_name = 'narrow-kmeans'",
        order_by=["start_time ASC"],
    )
    text = page(new.info.run_id, old.info.run_id, "narrow")
    assert "its result is that of the working tree" in text
    assert "samples and clusters of narrow-kmeans (the working tree has another result)" in text
    assert lookup.find("narrow").info.run_name == "narrow"
    other = lookup.find("other").info.run_id
    (project / "artifacts/digits/encoders/other" / rows.FILE).write_text("{}")
    assert "the picture that MLflow kept" in page(other, "narrow")


def test_a_file_that_is_damaged_is_one_sentence(tmp_path: Path) -> None:
    """By a flipped byte, or cut in the midst of it."""
    for content, words in ((b'{"a": "\x8f"}', "is damaged"), (b'{"a": ', "is no JSON")):
        (tmp_path / "config.json").write_bytes(content)
        with pytest.raises(UserError, match=f"the working tree: config.json {words}"):
            Tree(tmp_path).json("config.json")


def test_what_cannot_be_compared_is_one_sentence(project: Path) -> None:
    with pytest.raises(UserError, match="found 'narrow' alone"):
        compare.main(["narrow"])
    with pytest.raises(UserError, match="'nothing' is no row of params"):
        compare.main(["narrow", "nothing"])
    with pytest.raises(UserError, match=r"'narow' is no row .*\(did you mean 'narrow'"):
        compare.main(["narrow", "narow"])
    with pytest.raises(UserError, match=r"params.yaml of HEAD has no row 'nothing'"):
        compare.main(["narrow", "HEAD:nothing"])
    before = Path("params.yaml").read_text()
    for text, sentence in (
        ("a: [1", "params.yaml: not valid YAML: "),
        (before.replace("dataset:", "datset:", 1), "the working tree: dataset.name is missing"),
    ):
        Path("params.yaml").write_text(text)
        with pytest.raises(UserError, match=sentence):
            compare.main(["narrow", "other"])
    Path("params.yaml").write_text(before)
    assert os.listdir().count("compare.html") == 0

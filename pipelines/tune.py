"""Stage tune@<key>: makes sure of a search's trials -> artifacts/<dataset>/tuned/<key>."""

from pathlib import Path

from narrows import errors
from narrows.config import params
from narrows.stages import tune
from narrows.store import work


def main(key: str) -> None:
    p = params.load()
    params.select(p.searches, key, "searches")
    with work.output(Path("artifacts", p.dataset.name, "tuned", key)) as folder:
        tune.tune(p, key, folder)


if __name__ == "__main__":
    errors.run(main)

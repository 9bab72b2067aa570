"""Stage seed_encoders: encoders of rows that are repeated, from all other seeds at once, where
`seeds.together` wants that -> artifacts/<dataset>/seed_encoders/<encoder>.

Elsewhere stage `seeds` trains them, each seed in a process of its own. What is done and has not
changed is kept.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from narrows import errors
from narrows.config import params
from narrows.store import work


def main() -> None:
    p = params.load()
    folder = Path("artifacts", p.dataset.name, "seed_encoders")
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Any] = {**p.clusterings, **p.deep_clusterings}
    keys = dict.fromkeys(rows[key].encoder for key in p.seeds.rows)
    seeds = tuple(seed for seed in p.seeds.values if seed != p.seed)
    wanted = [key for key in keys if key in p.autoencoders] if seeds else []
    wanted = wanted if wanted and at_once(p) else []
    for made in folder.glob("*/"):
        if made.name not in wanted:
            shutil.rmtree(made)
    (folder / "encoders.json").write_text(json.dumps(wanted) + "\n")  # DVC warns of empty folders
    if wanted:
        train(p, wanted, seeds, folder)


def at_once(p: params.Params) -> bool:
    if p.seeds.together != "auto":
        return p.seeds.together
    import torch

    return p.device in ("auto", "cuda") and torch.cuda.is_available()


def train(p: params.Params, keys: list[str], seeds: tuple[int, ...], artifacts: Path) -> None:
    import torch

    from narrows.config.plugins import resolved
    from narrows.data import prepared
    from narrows.training import many_seeds

    data = prepared.read(p.dataset.name)
    for key in keys:
        row = p.autoencoders[key]
        # the row's own result tells whether code that it depends on has changed
        own = Path("artifacts", data.name, "encoders", key, "codes.npy")
        digest = data.digest + work.digest(own, Path(__file__), Path(many_seeds.__file__))
        fingerprint = work.fingerprint("seed_encoders", key, [resolved(row), seeds], digest)
        if work.is_current(artifacts / key / "seeds.json", fingerprint):
            continue
        checkpoints = work.checkpoints("seed_encoders", fingerprint)
        train_x, val_x = data.rows("train"), data.rows("val")
        try:
            fitted = many_seeds.fit_together(row, train_x, val_x, seeds, p.device, checkpoints)
        except errors.UserError as error:
            raise errors.UserError(f"params.yaml: autoencoders.{key}: {error}") from None
        with work.output(artifacts / key) as partial:
            for seed, one in zip(seeds, fitted, strict=True):
                torch.save(one.model.cpu().state_dict(), partial / f"{seed}.pt")
            info = {"fingerprint": fingerprint, "seconds": fitted[0].seconds}
            (partial / "seeds.json").write_text(json.dumps(info, indent=2) + "\n")
        shutil.rmtree(checkpoints, ignore_errors=True)
        took = sum(one.seconds for one in fitted)
        print(f"seed_encoders: {key} from {len(seeds)} seeds, {took:.0f} s", flush=True)


if __name__ == "__main__":
    errors.run(main)

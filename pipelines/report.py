"""Stage report: labels meet clusters. artifacts/ -> results/<dataset>, and scores to MLflow."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from narrows import errors, illustrations, page, params, scoring, splits, tracking, work


def main() -> None:
    p = params.load()
    results = Path("results", p.dataset.name)
    artifacts = Path("artifacts", p.dataset.name)
    data = scoring.read_data(Path("data", p.dataset.name))
    encoders = {
        key: scoring.read_encoder(artifacts / "encoders" / key, data, key in p.baselines)
        for key in [*p.baselines, *p.autoencoders]
    }
    clusterings = {
        key: scoring.read_clustering(
            artifacts / "clusterings" / key, data, row.encoder, row.clusterer.name
        )
        for key, row in p.clusterings.items()
    }
    autoencoder_rows = scoring.autoencoder_rows(list(encoders.values()))
    clustering_rows = scoring.clustering_rows(data, list(clusterings.values()), p.seed)

    with work.output(results) as folder:
        (folder / "figures").mkdir()
        encoder_pictures = {
            key: illustrations.encoder_pictures(encoder, data, p.seed, folder)
            for key, encoder in encoders.items()
        }
        clustering_pictures = {
            key: illustrations.clustering_pictures(c, encoders[c.encoder], data, p.seed, folder)
            for key, c in clusterings.items()
        }
        write_csv(folder / "autoencoders.csv", autoencoder_rows)
        write_csv(folder / "clusterings.csv", clustering_rows)
        summary = scoring.summary(autoencoder_rows, clustering_rows)
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        html = page.render(
            dataset=p.dataset.name,
            shape=data.x.shape[1:],
            n_per_split={name: int(data.rows(name).sum()) for name in splits.NAMES},
            labelled=data.labels is not None,
            baselines=list(p.baselines),
            autoencoders=autoencoder_rows,
            clusterings=clustering_rows,
            encoder_pictures=encoder_pictures,
            clustering_pictures=clustering_pictures,
        )
        (folder / "report.html").write_text(html, encoding="utf-8")

    for key, clustering in clusterings.items():  # encoders were scored by the stages that fit them
        run = tracking.again(clustering.info["fingerprint"], p.dataset.name)
        for row in clustering_rows:
            if row["clustering"] == key:
                run.log_metrics({f"{row['split']}/{k}": v for k, v in scoring.scores(row).items()})
        for picture in clustering_pictures[key]:
            drawn = Image.open(results / picture.file).convert("RGB")
            run.log_image(picture.name, np.asarray(drawn), step=0)


def write_csv(file: Path, rows: Sequence[scoring.Row]) -> None:
    """Floats to six significant digits; an undefined score is an empty cell."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows(rows[:1])  # the keys
        for row in rows:
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in row.values()])


if __name__ == "__main__":
    errors.run(main)

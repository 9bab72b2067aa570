"""Stage tune@<key>: makes sure of a search's trials -> artifacts/<dataset>/tuned/<key>."""

import json
from pathlib import Path

from narrows import errors
from narrows.config import params, plugins
from narrows.data import prepared
from narrows.search import runs, studies
from narrows.search import trials as search
from narrows.store import work


def main(key: str) -> None:
    p = params.load()
    chosen = params.select(p.searches, key, "searches")
    data = prepared.read(p.dataset.name)
    job = search.job(p, key, data)
    limits = search.Limits(n_finished=chosen.n_trials, deadline=None)
    with studies.reported(studies.url()):
        study = search.study(job, studies.storage(studies.url()), p.seed)
        if studies.n_finished(study) < chosen.n_trials:
            with runs.invocation(job, data) as (_, watching):
                search.add_trials(job, study, limits, watching)
        best = studies.winner(study)
    row = search.row_of(job, best)
    told = {
        "study": job.name,
        "trial": best.number,
        "objectives": dict(zip((o.name for o in chosen.objectives), best.values, strict=True)),
        "row": row,
        # `train_tuned` cannot depend on files that are known only now; on this it does
        "code": work.digest(*plugins.files(params.plugin("autoencoders", row))),
    }
    with work.output(Path("artifacts", data.name, "tuned", key)) as folder:
        (folder / "winner.json").write_text(json.dumps(told, indent=2) + "\n")
        trials_told = {
            "study": job.name,
            "objectives": list(job.objectives),
            "front": [trial.number for trial in study.best_trials],
            "winner": best.number,
            "trials": studies.table(study, job.objectives),
        }
        (folder / "trials.json").write_text(json.dumps(trials_told, indent=2) + "\n")
    print(
        f"tune@{key}: trial {best.number} of {len(study.trials)}, {told['objectives']}", flush=True
    )


if __name__ == "__main__":
    errors.run(main)

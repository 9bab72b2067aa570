"""Stage evaluate: measures each encoder without a label -> artifacts/<dataset>/evaluations.

Codes that a deep clustering has refined get their map here, too.
"""

from __future__ import annotations

from narrows.config import params
from narrows.config.params import Params
from narrows.config.plugins import resolved
from narrows.stages import runner
from narrows.store import choices, clusterings, encoders, evaluations
from narrows.store.rows import Call, Row


def main() -> None:
    """Brings all evaluations up to date."""
    p = choices.with_winners(params.load())
    setting = runner.setting_of(p)
    rows = [encoder_row(p, key) for key in (*p.baselines, *p.autoencoders)]
    rows += [refined_row(p, key) for key in p.deep_clusterings]
    home = setting.artifacts / "evaluations"
    runner.refresh("evaluate", home, rows, runner.slot_on(p.device), runner.EVALUATING)


def encoder_row(p: Params, key: str) -> Row:
    """The evaluation of one encoder."""
    setting, is_baseline = runner.setting_of(p), key in p.baselines
    row = p.baselines[key] if is_baseline else p.autoencoders[key]
    place = encoders.folder(setting.artifacts, key)
    reads = (*encoders.files(place, is_baseline), *setting.data_files(row.config.input))
    call = Call("narrows.stages.measure", "measure", (setting, p.evaluate, place))
    settings = {"seed": p.seed, "evaluate": resolved(p.evaluate)}
    folder = evaluations.encoder_folder(setting.artifacts, key)
    modules = runner.plugin_modules(row, p.evaluate)
    return Row(f"evaluations.{key}", folder, settings, reads, call, modules)


def refined_row(p: Params, key: str) -> Row:
    """The map of the codes that one deep clustering has refined."""
    setting = runner.setting_of(p)
    codes = clusterings.codes_file(setting.artifacts / "deep_clusterings" / key)
    settings = {"seed": p.seed, "map_rows": p.evaluate.map_rows}
    call = Call("narrows.stages.measure", "map_codes", (codes, p.evaluate.map_rows, p.seed))
    folder = evaluations.refined_folder(setting.artifacts, key)
    return Row(f"evaluations.refined.{key}", folder, settings, (codes,), call)

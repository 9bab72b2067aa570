"""What a run of a benchmark leaves: results/<name>.json, and its table in docs/benchmarks.md."""

import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE, END = ROOT / "docs/benchmarks.md", "<!-- end -->"
OURS = ("torch", "pytorch-lightning", "mlflow", "optuna", "scikit-learn", "dvc")
THEIRS = ("keras", "tensorflow-cpu", "clustpy", "torch")
Figure = dict[str, Any]


def machine(threads: int, device: str = "cpu") -> dict[str, Any]:
    """Processors and versions of what is installed; no name of a machine."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    installed = {package.name for package in metadata.distributions()}
    record = {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "bf16": "avx512_bf16" in flags or "amx_bf16" in flags,
        "load_at_the_end": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in OURS if name in installed},
    }
    if device == "cuda":
        import torch

        record["gpu"] = torch.cuda.get_device_name()
    python = ROOT / ".venv-peers/bin/python"
    if python.exists():
        code = "import json, sys, importlib.metadata as m"
        code += "; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
        answer = subprocess.run([python, "-c", code, *THEIRS], capture_output=True, check=True)
        record["versions_of_peers"] = json.loads(answer.stdout)
    return record


def write(about: dict[str, Any], results: list[Figure], name: str | None) -> None:
    """Both files of the benchmark `name`, or only the terminal if the run was a trial."""
    page = table(about, results)
    print(page)
    if name is None:
        return
    file = ROOT / f"benchmarks/results/{name}.json"
    file.write_text(json.dumps({"machine": about, "figures": results}, indent=2) + "\n")
    before, begin, rest = PAGE.read_text().partition(f"<!-- {name} -->\n")
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{begin}{page}\n{END}{after}")


def table(about: dict[str, Any], results: list[Figure]) -> str:
    """Markdown; a ratio is this contender's time over the first one's, round by round."""
    versions = {**about["versions"], **about.get("versions_of_peers", {})}
    processors = [about[kind] for kind in ("gpu", "cpu") if kind in about]
    lines = [
        f"{', '.join(processors)}, {about['cores']} cores, {about['threads']} threads, "
        f"Python {about['python']}, "
        + ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        + f". The run took {about['seconds'] / 60:.0f} min.",
    ]
    for kind in dict.fromkeys(figure["figure"] for figure in results):
        rows = [figure for figure in results if figure["figure"] == kind]
        extra = [name for name in EXTRA if any(name in row for row in rows)]
        head = [kind, "seconds", "times the first", *(EXTRA[name][0] for name in extra)]
        lines += ["", f"| {' | '.join(head)} |", f"|---|{'--:|' * (len(head) - 1)}"]
        for row in rows:
            digits = 4 if row["seconds"]["median"] < 0.1 else 2
            cells = [row["of"], of(row["seconds"], digits), of(row.get("ratio"), 2)]
            cells += [of(row.get(name), EXTRA[name][1]) for name in extra]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


EXTRA = {  # key of a figure -> heading and digits
    "samples_per_s": ("samples/s", 0),
    "gemm_share": ("share of the products' rate", 2),
    "gflop_per_s": ("GFLOP/s", 0),
    "trials_per_hour": ("trials an hour", 0),
    "cpu_seconds": ("CPU seconds", 2),
    "cpu_ratio": ("times the first's", 2),
    "nmi": ("NMI", 2),
}


def of(value: Any, digits: int) -> str:
    """
    >>> of({"min": 1.0, "median": 2.0, "max": 3.5}, 1), of(1234.5, 0), of(None, 2)
    ('2.0 (1.0-3.5)', '1,234', '')
    """
    if value is None:
        return ""
    if isinstance(value, dict):
        least, middle, most = (f"{value[k]:,.{digits}f}" for k in ("min", "median", "max"))
        return f"{middle} ({least}-{most})"
    return f"{value:,.{digits}f}"

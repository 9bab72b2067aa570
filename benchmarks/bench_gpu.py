"""What `bench.py` measures, on a GPU: trainings and ten seeds at once, against other loops there.

    python benchmarks/bench_gpu.py [--quick] [--device cuda]

It needs torch, Lightning and the default data, neither MLflow nor the peers: a machine with a GPU
often has no more. A whole run writes benchmarks/results/bench-gpu.json and its table in
docs/benchmarks.md.
"""

import argparse
import os
import time

import racing
import torch
from benched import Figure, machine, write

TRAINING = {
    "ours": "ours",
    "ours, fp32": "ours_fp32",
    "raw PyTorch loop": "raw",
    "matrix products alone, bf16": "gemm",
}
SLOW = {"Lightning, DataLoader, CSVLogger": "lightning"}  # minutes for the documents' pretraining
ROWS: dict[str, tuple[Figure, int, dict[str, str]]] = {  # job, samples and contenders of each
    "documents' pretraining": (
        racing.ROWS["deep"] | {"batch_size": 2048, "epochs": 500},
        34_300,
        TRAINING,
    ),
    "deep row": (racing.ROWS["deep"] | {"batch_size": 256, "epochs": 5}, 20_480, TRAINING | SLOW),
    "small row": (
        racing.ROWS["small"] | {"batch_size": 256, "epochs": 25},
        20_480,
        TRAINING | SLOW,
    ),
}
SEEDS = {"ours": "ours_together", "one after the other": "ours_one_by_one"}
DEC = {"ours": "ours_dec", "ours, fp32": "ours_dec_fp32"}


def figures(options: argparse.Namespace) -> list[Figure]:
    about = {"threads": os.cpu_count() or 1, "device": options.device}
    results: list[Figure] = []
    for name, (row, full, modules) in ROWS.items():
        n = 1_024 if options.quick else full
        job = (
            row | about | {"samples": racing.samples(n)} | ({"epochs": 1} if options.quick else {})
        )
        seconds, _ = racing.raced(name, modules, job, {"epochs": 1}, options.rounds)
        rows = racing.figures(f"GPU: {name}", seconds)
        for figure in rows:
            figure["samples_per_s"] = n * job["epochs"] / figure["seconds"]["median"]
        results += rows
    job = racing.ROWS["small"] | about | {"batch_size": 256, "repeats": 10}
    job |= {"epochs": 1 if options.quick else 20, "samples": racing.samples(5_120)}
    seconds, _ = racing.raced("ten seeds", SEEDS, job, {"epochs": 1}, options.rounds)
    results += racing.figures("GPU: ten seeds", seconds)
    job = racing.ROWS["deep"] | about | {"batch_size": 256, "samples": racing.samples(5_000)}
    job |= {"epochs": 1, "repeats": 3} if options.quick else {"epochs": 30, "repeats": 30}
    seconds, _ = racing.raced("DEC", DEC, job, {"epochs": 1, "repeats": 3}, options.rounds)
    return results + racing.figures("GPU: DEC, end to end", seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures speed on a GPU.")
    parser.add_argument("--quick", action="store_true", help="small sizes, once: does it run?")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    options = parser.parse_args()
    options.rounds = 1 if options.quick else 3
    if options.device == "cuda" and not torch.cuda.is_available():
        print("bench: torch finds no GPU here, so none is measured")
        return
    racing.WORK.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    results = figures(options)
    about = machine(os.cpu_count() or 1, options.device)
    about["seconds"] = round(time.perf_counter() - began)
    write(about, results, None if options.quick or options.device != "cuda" else "bench-gpu")


if __name__ == "__main__":
    main()

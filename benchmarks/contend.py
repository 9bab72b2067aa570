"""One contender in a process of its own: reads a job per line, answers its time per line.

    python benchmarks/contend.py raw < jobs

Whatever a library prints goes to stderr; the answers alone are on stdout, as JSON.
"""

import importlib
import json
import os
import sys
import time


def main(name: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from contenders import job

    contender = importlib.import_module(f"contenders.{name}")
    for line in sys.stdin:
        task = job.parsed(line)
        task.flat()  # reading is no part of the time
        began = time.perf_counter()
        outcome = contender.fit(task)
        seconds = time.perf_counter() - began
        print(json.dumps({"seconds": seconds, "outcome": outcome}), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

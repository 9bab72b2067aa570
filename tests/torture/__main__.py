"""`make torture MINUTES=20 SEED=0`: breaks the tool on purpose, and says what was lost.

Campaigns take turns until the time is over; an attempt's chance comes from the seed, the campaign
and its number, so that --only NAME --seed SEED --number N repeats one. The folder of an attempt
that lost something stays in .work/torture/.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from torture import artifacts, inputs, passwords, requests, runs, searches, stores
from torture._base import Campaign, Lost

CAMPAIGNS = (
    runs.CAMPAIGN,
    stores.CAMPAIGN,
    stores.TOGETHER,
    *searches.CAMPAIGNS,
    *inputs.CAMPAIGNS,
    artifacts.CAMPAIGN,
    passwords.CAMPAIGN,
    requests.CAMPAIGN,
)
LOSSES = Path(".work/torture")


@dataclass
class Tally:
    """What a campaign has come to."""

    tried: int = 0
    lost: list[str] = field(default_factory=list)


def attempt(campaign: Campaign, seed: int, number: int, tally: Tally) -> None:
    """One attempt in a folder of its own, which goes if nothing was lost."""
    draw = random.Random(f"{seed} {campaign.name} {number}")
    name = campaign.name.replace(" ", "-").replace(".", "-")
    folder = (LOSSES / f"{name}-{seed}-{number}").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        tally.tried += campaign.attempt(draw, folder)
    except Lost as loss:
        tally.tried += 1
        tally.lost.append(f"--only {campaign.name!r} --seed {seed} --number {number}: {loss}")
        print(f"LOST {tally.lost[-1]}", flush=True)
        return
    shutil.rmtree(folder)


def table(tallies: dict[str, Tally]) -> str:
    """What was tried, survived and lost, by campaign."""
    lines = [f"{'campaign':45} {'tried':>6} {'survived':>9} {'lost':>5}"]
    for name, tally in tallies.items():
        survived = tally.tried - len(tally.lost)
        lines.append(f"{name:45} {tally.tried:6} {survived:9} {len(tally.lost):5}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="when to stop; without it a sample is tried")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="name of a campaign")
    parser.add_argument("--number", type=int, help="of the one attempt to make")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    chosen = [c for c in CAMPAIGNS if options.only in (None, c.name)]
    tallies = {campaign.name: Tally() for campaign in chosen}
    deadline = time.monotonic() + 60 * (options.minutes or 0)
    number = options.number or 0
    while True:
        for campaign in chosen:
            if options.minutes or options.number is not None or number < campaign.n_sample:
                attempt(campaign, options.seed, number, tallies[campaign.name])
        number += 1
        if options.number is not None or (options.minutes and time.monotonic() > deadline):
            break
        if not options.minutes and number >= max(c.n_sample for c in chosen):
            break
    print(table(tallies))
    sys.exit(any(tally.lost for tally in tallies.values()))


if __name__ == "__main__":
    main()

"""`make torture MINUTES=20 SEED=0`: breaks the tool on purpose, and says what was lost.

Campaigns take turns until the time is over; an attempt's chance comes from the seed, the campaign
and its number, so that --only NAME --seed SEED --number N repeats one. The folder of an attempt
that lost something stays in .work/torture/.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import sys
import time
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from torture import (
    artifacts,
    checkpoints,
    inputs,
    passwords,
    places,
    requests,
    runs,
    searches,
    stores,
    twice,
)
from torture._base import Campaign, Lost

CAMPAIGNS = (
    *runs.CAMPAIGNS,
    stores.CAMPAIGN,
    stores.TOGETHER,
    *searches.CAMPAIGNS,
    *inputs.CAMPAIGNS,
    artifacts.CAMPAIGN,
    checkpoints.CAMPAIGN,
    *places.CAMPAIGNS,
    *twice.CAMPAIGNS,
    *passwords.CAMPAIGNS,
    *requests.CAMPAIGNS,
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
    began = time.monotonic()
    try:
        tally.tried += campaign.attempt(draw, folder)
    except Exception as loss:
        tally.tried += 1
        tally.lost.append(f"--only {campaign.name!r} --seed {seed} --number {number}: {loss}")
        print(f"LOST {tally.lost[-1]}", flush=True)
        if not isinstance(loss, Lost):
            traceback.print_exception(loss)
        return
    seconds = time.monotonic() - began
    print(f"{campaign.name}: {tally.tried} tried, {number} took {seconds:.0f} s", flush=True)
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
    parser.add_argument("--tries", type=int, help="of each campaign, at most so many minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="name of a campaign; may be repeated")
    parser.add_argument("--number", type=int, help="of the one attempt to make")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    chosen = [c for c in CAMPAIGNS if options.only is None or c.name in options.only]
    tallies = {campaign.name: Tally() for campaign in chosen}
    deadline = time.monotonic() + 60 * (options.minutes or 0)

    def goes_on(campaign: Campaign, number: int) -> bool:
        if options.number is not None:
            return number == options.number
        if options.tries is not None and tallies[campaign.name].tried >= options.tries:
            return False
        if options.minutes is not None:
            return time.monotonic() < deadline
        return options.tries is not None or number < campaign.n_sample

    for number in itertools.count(options.number or 0):
        left = [campaign for campaign in chosen if goes_on(campaign, number)]
        if not left:
            break
        for campaign in left:
            attempt(campaign, options.seed, number, tallies[campaign.name])
    print(table(tallies))
    sys.exit(any(tally.lost for tally in tallies.values()))


if __name__ == "__main__":
    main()

"""Thumbnails in sheets of 256, so that a page of 20,000 pictures loads the few that are seen."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS = 16
MARGIN = 1  # pixels around a thumbnail, of its own edge: browsers that scale blend neighbours in
PER_SHEET = COLUMNS * COLUMNS
MAX_SIDE = 96  # pixels
LOSSLESS_SIDE = 32  # what is this small is stored as it is
QUALITY = 80  # of 100, for WebP
EFFORT = 1  # of 6, for WebP: a third of the default's time for a tenth more bytes


@dataclass(frozen=True)
class Sheets:
    """What a page has to know of the sheets to find a thumbnail in them."""

    width: int
    """Width of one thumbnail, in pixels."""
    height: int
    """Height of one thumbnail, in pixels."""
    suffix: str
    """Suffix of the files, .png or .webp."""
    n_sheets: int
    """Number of sheets."""


def write(folder: Path, name: str, x: np.ndarray, rows: np.ndarray, side: int = MAX_SIDE) -> Sheets:
    """Writes `<name>-000`, `<name>-001`, ... into the folder: rows of x side by side, in order.

    Every sheet has 16 x 16 places; what is left over in the last one is grey.

    Args:
        x: uint8 (N, C, H, W), which may be memory-mapped. Other than one or three channels are
            averaged.
        rows: rows of x that are written, (n,); -1 leaves a place free.
        side: pixels that a thumbnail has at most.
    """
    height, width = x.shape[2:]
    scale = min(1, side / max(height, width))
    width, height = (max(1, round(length * scale)) for length in (width, height))
    suffix = ".png" if max(width, height) <= LOSSLESS_SIDE else ".webp"
    n_sheets = -(-len(rows) // PER_SHEET)
    across, down = width + 2 * MARGIN, height + 2 * MARGIN
    for sheet in range(n_sheets):
        chosen = rows[sheet * PER_SHEET : (sheet + 1) * PER_SHEET]
        canvas = Image.new(
            "RGB" if x.shape[1] == 3 else "L", (COLUMNS * across, COLUMNS * down), "gray"
        )
        for place, row in enumerate(chosen):
            if row < 0:
                continue
            thumbnail = picture(x[row])
            if thumbnail.size != (width, height):
                thumbnail = thumbnail.resize((width, height), Image.Resampling.LANCZOS)
            left, top = place % COLUMNS * across, place // COLUMNS * down
            canvas.paste(thumbnail.resize((across, down)), (left, top))  # only its edge stays
            canvas.paste(thumbnail, (left + MARGIN, top + MARGIN))
        file = folder / f"{name}-{sheet:03}{suffix}"
        if suffix == ".png":
            canvas.save(file, optimize=True)
        else:
            canvas.save(file, quality=QUALITY, method=EFFORT)
    return Sheets(width, height, suffix, n_sheets)


def picture(sample: np.ndarray) -> Image.Image:
    """A sample, uint8 (C, H, W), as a picture; other than one or three channels are averaged."""
    if len(sample) == 3:
        return Image.fromarray(np.ascontiguousarray(sample.transpose(1, 2, 0)))
    return Image.fromarray(sample.mean(axis=0).round().astype(np.uint8))

"""index.html of a gallery and its sheets of thumbnails: one folder that opens offline.

Whatever a name holds is data: jinja2 escapes it, the page's script sets it as text only, and a
Content-Security-Policy lets no other script run than the one whose hash it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.names import SampleNames
from narrows.explore.gallery import colours
from narrows.explore.gallery.album import Album
from narrows.explore.gallery.plane import STEPS, along
from narrows.explore.groups import KNOWN, Groups
from narrows.explore.guesses import Guesses
from narrows.rendering import html, sprites

MAP_SIDE = 40  # pixels of a thumbnail on the map
COVER = 9  # pictures of a cluster's cover, three by three


@dataclass(frozen=True)
class Titles:
    """What the page is called, and what it belongs to."""

    encoder: str
    """Key of the encoder's row, whose reconstruction gives the errors."""
    groups: Groups
    """What the page says of the clusters."""
    k_sentence: str = ""
    """How many clusters were taken, and what does as well; "" where a method found its own."""


def write(
    folder: Path,
    titles: Titles,
    x: np.ndarray,
    album: Album,
    samples: SampleNames | None,
    source: str | None,
    plane: np.ndarray | None = None,
    guessed: Guesses | None = None,
) -> Path:
    """The page's file, in a folder that is there.

    Args:
        x: pictures, uint8 (N, C, H, W), which may be memory-mapped.
        samples: names by row of x, or None.
        source: URL of the folder that the paths are relative to, as `url` returns it; None
            leaves originals without a link.
        plane: places (N, 2) of the pictures on a map, `plane.places`; None leaves it out.
        guessed: words by row of x, by which the page finds pictures; None where there are none.
    """
    sheets = sprites.write(folder, "pictures", x, album.rows)
    covers = [_cover(album, i) for i in range(len(album.sections))]
    padded = [c + [-1] * (COVER - len(c)) for c in covers]
    sprites.write(folder, "covers", x, np.array(padded, dtype=int).ravel())
    content: dict[str, Any] = {
        "map": None if plane is None else _map(folder, x, album, plane),
        "sheet": {
            "columns": sprites.COLUMNS,
            "margin": sprites.MARGIN,
            "width": sheets.width,
            "height": sheets.height,
            "suffix": sheets.suffix,
            "pixelated": max(sheets.width, sheets.height) <= sprites.LOSSLESS_SIDE,
        },
        "sections": [section._asdict() for section in album.sections],
        "covers": [len(cover) for cover in covers],
        "colours": _colours(x, album),
        "rows": album.rows.tolist(),
        **_origins(samples, album),
        "words": None if guessed is None else _words(guessed, album),
        "source": source,
        "distances": _short(album.distances),
        "errors": None if album.errors is None else _short(np.sqrt(album.errors)),
        "outliers": album.outliers.tolist(),
        "groups": [[first, *others] for first, others in album.groups.items()],
    }
    page = folder / "index.html"
    page.write_text(_html(titles, album, sheets, content), encoding="utf-8")
    return page


def url(source: Path, folder: Path) -> str:
    """URL of the folder `source` as seen from a page in `folder`, so that both can move together.

    >>> url(Path("/home/me/my photos"), Path("/home/me/narrows/gallery"))
    '../../my%20photos/'
    """
    return html.url(source, folder) + "/"


def _map(folder: Path, x: np.ndarray, album: Album, plane: np.ndarray) -> dict[str, Any]:
    """Writes the map's sheets; what the page has to know of them, and the places."""
    order = along(plane)
    sheets = sprites.write(folder, "map", x, order, side=MAP_SIDE)
    return {
        "places": plane[album.rows].ravel().tolist(),
        "steps": STEPS,
        "order": np.argsort(order)[album.rows].tolist(),
        "sheet": {"width": sheets.width, "height": sheets.height, "suffix": sheets.suffix},
        "label": "Map of the pictures",
    }


def _colours(x: np.ndarray, album: Album) -> dict[int, list[tuple[str, str]]]:
    """Names and patches of each cluster's dominant colours."""
    clusters = np.empty(len(x), int)
    for cluster, first, size in album.sections:
        clusters[album.rows[first : first + size]] = cluster
    return {
        cluster: [(colour.name, colour.patch) for colour in colours.dominant(every)]
        for cluster, every in colours.of_groups(x, clusters).items()
    }


def _origins(samples: SampleNames | None, album: Album) -> dict[str, Any]:
    """Paths, dates and places by position, each None where there are none at all."""
    if samples is None:
        return {"paths": None, "dates": None, "places": None}
    own = samples.part(album.rows)
    places = None if own.places is None else [place and str(place) for place in own.places]
    return {"paths": own.paths, "dates": own.dates, "places": places}


def _words(guessed: Guesses, album: Album) -> dict[str, Any]:
    """The words, and the numbers of each picture's by position."""
    of_each = [guessed.of_each[row] for row in album.rows]
    return {"vocabulary": guessed.vocabulary, "guesses": of_each}


def _html(titles: Titles, album: Album, sheets: sprites.Sheets, content: dict[str, Any]) -> str:
    environment = html.environment()
    size = f":root {{ --aspect: {sheets.width} / {sheets.height}; }}\n"
    style = size + html.style("gallery.css")
    script = "".join(map(html.script, ("groups.js", "gallery.js", "search.js", "map.js")))
    return environment.get_template("gallery.html.j2").render(
        titles=titles,
        n=sum(size for cluster, _, size in album.sections if cluster != KNOWN),
        n_known=sum(size for cluster, _, size in album.sections if cluster == KNOWN),
        n_clusters=sum(section.cluster >= 0 for section in album.sections),
        n_outliers=len(album.outliers),
        is_lossless=album.is_lossless,
        n_groups=len(album.groups),
        style=style,
        script=script,
        style_hash=html.sha256(style),
        script_hash=html.sha256(script),
        content=content,
        groups=titles.groups.content(),
        similar=album.similar.tolist(),
    )


def _cover(album: Album, section: int) -> list[int]:
    """Rows of at most nine pictures from the inner half of a cluster, no two alike."""
    _, first, size = album.sections[section]
    repeated = {member for others in album.groups.values() for member in others}
    hidden = repeated | set(album.outliers.tolist())
    candidates = [p for p in range(first, first + size) if p not in hidden] or [first]
    inner = candidates[: max(COVER, len(candidates) // 2)]
    spread = np.linspace(0, len(inner) - 1, min(COVER, len(inner))).astype(int)
    return [int(album.rows[inner[place]]) for place in spread]


def _short(values: np.ndarray) -> list[float]:
    return [float(f"{value:.4g}") for value in values]

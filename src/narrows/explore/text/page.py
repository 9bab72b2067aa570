"""index.html of clustered documents: their terms and the documents at their hearts."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from narrows.explore.groups import Groups
from narrows.explore.text.terms import Term
from narrows.rendering import html as templates
from narrows.store.files import write_csv

N_CHARACTERS = 200
MAX_WORD = 30  # characters that an excerpt is shorter for the sake of a whole word
SEARCHED = 100 * N_CHARACTERS  # a text may be a book, or begin with empty lines
PRECISIONS = ("precision_1", "precision_5", "precision_10")


@dataclass(frozen=True)
class Document:
    """A document on the page."""

    name: str
    """Path within the user's folder, or row of the table."""
    excerpt: str = ""
    """Its beginning; empty where it can no longer be read."""
    url: str = ""
    """URL of its file as seen from the page; empty where it has none of its own."""


@dataclass(frozen=True)
class Topics:
    """What the page of clustered documents shows."""

    groups: Groups
    """What the page says of the clusters."""
    encoder: str
    """Key of the encoder's row."""
    terms: Mapping[int, Sequence[Term]]
    """Top terms by cluster; empty for embeddings, whose numbers are no terms."""
    hearts: Mapping[int, Sequence[Document]]
    """The documents nearest to the mean, nearest first, by cluster."""
    precisions: Sequence[tuple[str, Sequence[float]]]
    """Encoder and its precision at 1, 5 and 10, where there are labels."""


def write(folder: Path, topics: Topics) -> Path:
    """The page's file and terms.csv, in a folder that is there."""
    write_csv(
        folder / "terms.csv",
        [[cluster, *term] for cluster, terms in topics.terms.items() for term in terms],
        ["cluster", *Term._fields],
    )
    environment = templates.environment()
    environment.filters["share"] = lambda share: f"{100 * share:.0f} %"
    style = templates.style("findings.css")
    script = templates.script("groups.js") + templates.script("cards.js")
    html = environment.get_template("text.html.j2").render(
        topics=topics,
        n=sum(topics.groups.sizes.values()),
        groups=topics.groups.content(),
        levels=topics.groups.levels(),
        style=style,
        style_hash=templates.sha256(style),
        script=script,
        script_hash=templates.sha256(script),
    )
    page = folder / "index.html"
    page.write_text(html, encoding="utf-8")
    return page


def excerpt(text: str) -> str:
    """The beginning of a text in one line, up to a space where one is near.

    >>> excerpt("Dear all,   the ship")
    'Dear all, the ship'
    >>> excerpt("word " * 100)[-11:]
    ' word word…'
    >>> len(excerpt("字" * 1000))
    201
    """
    line = " ".join(text[:SEARCHED].split())
    if len(line) <= N_CHARACTERS:
        return line
    space = line.rfind(" ", N_CHARACTERS - MAX_WORD, N_CHARACTERS + 1)
    return line[: space if space > 0 else N_CHARACTERS] + "…"


def precisions(file: Path, encoders: Sequence[str]) -> list[tuple[str, list[float]]]:
    """Precisions of these encoders, which `report` measured with labels; empty without a file."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as stream:
        rows = {row["autoencoder"]: row for row in csv.DictReader(stream)}
    cells = [(key, [rows[key][name] for name in PRECISIONS]) for key in encoders if key in rows]
    return [(key, [float(v) for v in values]) for key, values in cells if all(values)]

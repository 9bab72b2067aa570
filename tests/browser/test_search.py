"""The search of a gallery: by words that a classifier guesses, by names of files, by keys alone."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from narrows.data.names import SampleNames
from narrows.explore.gallery import album, page
from narrows.explore.groups import Groups
from narrows.explore.guesses import Guesses

NAMES = [
    "Été/IMG_0123.jpg",
    "beach 2019/a.jpg",
    "3bed4567-cafe.jpg",
    "d.jpg",
    "e.jpg",
    "f.jpg",
]
WORDS = Guesses(
    ["running shoe", "jean", "school bus", "sweatshirt"],
    [[0, 40], [0, 5, 1, 60], [1, 90, 3, 4], [2, 70], [], [3, 30, 0, 3]],
)


def write(folder: Path, names: list[str] | None = NAMES, words: Guesses | None = WORDS) -> Path:
    """A page of six pictures in two clusters, with a map where they stand side by side."""
    x = np.random.default_rng(0).integers(0, 256, (6, 1, 8, 8)).astype(np.uint8)
    arranged = album.arranged(x, np.arange(6.0)[:, None], np.array([0, 0, 0, 0, 1, 1]), None)
    titles = page.Titles("pca", Groups("toy", "pca-kmeans", "abc", {0: 4, 1: 2}))
    samples = None if names is None else SampleNames(names, [""] * 6)
    plane = np.column_stack([np.arange(6) * 800, np.full(6, 2000)])
    return page.write(folder, titles, x, arranged, samples, None, plane, words)


def opened(browser: Any, file: Path, width: int = 1000) -> Any:
    """A page that fails the test by an error of its script or a message of its policy."""
    own = browser.new_page(viewport={"width": width, "height": 800})
    own.on("pageerror", lambda error: pytest.fail(str(error)))
    own.on("console", lambda message: pytest.fail(message.text))
    own.goto(file.as_uri())
    return own


def matches(own: Any) -> list[tuple[str, str]]:
    """Names of the pictures in sight that were searched for, and what stands on them."""
    tiles = own.locator("#matches .tile:visible").all()
    return [(tile.get_attribute("aria-label"), tile.inner_text()) for tile in tiles]


@pytest.fixture
def gallery(browser: Any, tmp_path: Path) -> Any:
    own = opened(browser, write(tmp_path))
    yield own
    own.close()


def test_the_likeliest_pictures_come_first_and_escape_brings_the_groups_back(gallery: Any) -> None:
    assert "Guesses are no labels" in gallery.inner_text("header")
    gallery.fill("#query", "Shoes")
    assert matches(gallery) == [
        ("Été/IMG_0123.jpg", "40 %"),
        ("beach 2019/a.jpg", "5 %"),
        ("f.jpg", "3 %"),
    ]
    assert gallery.inner_text("#matched") == "3 pictures, the likeliest first"
    assert gallery.locator("section.cluster:visible").count() == 0
    gallery.keyboard.press("Escape")
    assert (matches(gallery), gallery.inner_text("#matched")) == ([], "")
    assert gallery.locator("section.cluster:visible").count() == 2
    gallery.fill("#query", "shoe")
    gallery.fill("#query", "")
    assert gallery.locator("section.cluster:visible").count() == 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("jean shoe", ["beach 2019/a.jpg"]),  # all words, at 5 %
        ("shoe sweatshirt", ["f.jpg"]),
        ("bus", ["d.jpg"]),
        ("sch", ["d.jpg"]),  # the beginning of a word
        ("shirt", ["f.jpg", "3bed4567-cafe.jpg"]),  # within one
        ("ete img", ["Été/IMG_0123.jpg"]),
        ("123", ["Été/IMG_0123.jpg"]),
        ("bed", []),  # no word of a name, but digits of a number
        ("cafe", ["3bed4567-cafe.jpg"]),
        ("2019 jeans", ["beach 2019/a.jpg"]),
        ("<beach>", ["beach 2019/a.jpg"]),
        ("(.*", None),  # no word: the groups stay
    ],
)
def test_words_and_names_are_found(gallery: Any, query: str, expected: list[str] | None) -> None:
    gallery.fill("#query", query)
    assert [name for name, _ in matches(gallery)] == (expected or [])
    assert gallery.locator("section.cluster:visible").count() == (2 if expected is None else 0)
    assert (gallery.inner_text("#matched") == "No picture") == (expected == [])


def test_keys_open_a_picture_and_walk_through_the_matches(gallery: Any) -> None:
    gallery.focus("#query")
    gallery.keyboard.type("shoe")
    gallery.keyboard.press("Tab")
    gallery.keyboard.press("Enter")
    assert "running shoe 40 %" in gallery.inner_text("#facts")
    for name in NAMES[1], NAMES[5], NAMES[5]:  # the last one stays
        gallery.keyboard.press("ArrowRight")
        assert gallery.inner_text("#name") == name
    gallery.keyboard.press("Escape")
    assert len(matches(gallery)) == 3
    gallery.keyboard.press("Escape")
    assert matches(gallery) == []
    assert gallery.evaluate("document.activeElement.id") == "query"


def test_the_map_fades_what_does_not_match(gallery: Any) -> None:
    """Six grey thumbnails in coloured frames, of which one alone is left in full colour."""

    def n_coloured() -> int:
        gallery.wait_for_load_state("networkidle")
        gallery.evaluate("new Promise(requestAnimationFrame)")
        screenshot = gallery.locator("#map").screenshot()
        pixels = np.array(Image.open(io.BytesIO(screenshot)).convert("RGB"))
        return int((np.ptp(pixels.astype(int), axis=2) > 100).sum())

    n_coloured()  # the sheets are loaded where the map is in sight
    every = n_coloured()
    gallery.fill("#query", "bus")
    assert n_coloured() == pytest.approx(every / 6, rel=0.2)
    gallery.fill("#query", "")
    assert n_coloured() == pytest.approx(every, rel=0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_matches_without_scrolling_sideways(
    browser: Any, tmp_path: Path, scheme: str
) -> None:
    own = opened(browser, write(tmp_path, ["x" * 100 + f"{i}.jpg" for i in range(6)]), width=390)
    own.emulate_media(color_scheme=scheme)
    own.fill("#query", "x" * 100)
    assert len(matches(own)) == 6
    assert own.evaluate("document.documentElement.scrollWidth") == 390
    own.close()


def test_without_words_there_are_names_and_without_names_no_field(
    browser: Any, tmp_path: Path
) -> None:
    own = opened(browser, write(tmp_path, words=None))
    assert "classifier" not in own.inner_text("header")
    own.fill("#query", "cafe")
    assert matches(own) == [("3bed4567-cafe.jpg", "")]
    assert own.inner_text("#matched") == "1 picture"
    own.goto(write(tmp_path, names=None).as_uri())
    own.fill("#query", "bus")
    assert matches(own) == [("row 3", "70 %")]
    assert "files" not in own.inner_text("#by-what")
    own.goto(write(tmp_path, names=None, words=None).as_uri())
    assert own.locator("#query").count() == 0
    own.keyboard.press("Escape")
    assert own.locator("section.cluster:visible").count() == 2
    own.close()

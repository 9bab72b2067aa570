"""Dominant colours of groups of pictures, by hand."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from narrows.explore.gallery import colours

RED, GREEN, GREY, WHITE = (200, 30, 40), (80, 150, 60), (130, 130, 130), (255, 255, 255)


def pictures(*parts: tuple[tuple[int, int, int], tuple[int, int, int]]) -> np.ndarray:
    """One picture (3, 8, 8) of each pair: its upper and its lower half."""
    x = np.empty((len(parts), 3, 8, 8), np.uint8)
    for picture, (upper, lower) in zip(x, parts, strict=True):
        picture[:, :4], picture[:, 4:] = (
            np.array(upper)[:, None, None],
            np.array(lower)[:, None, None],
        )
    return x


def test_a_group_has_the_colours_of_its_pixels_and_their_means() -> None:
    """Three pictures of one group are half red, a quarter green and a quarter grey: of six halves
    three, one and two. The one in no group counts nowhere."""
    x = pictures((RED, GREY), (RED, GREEN), (RED, GREY), (GREEN, GREEN))
    (own,) = colours.of_groups(x, np.array([4, 4, 4, -1])).items()
    assert own == (
        4,
        [("red", "#c81e28", 3 / 6), ("grey", "#828282", 2 / 6), ("green", "#50963c", 1 / 6)],
    )


def test_background_beside_a_picture_is_none_of_its_colours() -> None:
    """Bars as wide as a quarter of the square, as beside a picture twice as high as wide."""
    x = pictures((RED, RED))
    x[..., :2] = x[..., -2:] = 255
    assert [colour.name for colour in colours.of_groups(x, np.array([0]))[0]] == ["red"]


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_pictures_that_are_grey_have_none(n_channels: int) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (5, 1, 8, 8)).astype(np.uint8)
    assert colours.of_groups(np.repeat(levels, n_channels, axis=1), np.zeros(5, int)) == {}


def test_no_group_has_no_colours() -> None:
    assert colours.of_groups(pictures((RED, GREEN)), np.array([-1])) == {}


def test_a_group_is_called_by_what_tells_it_from_all_together() -> None:
    """Grey is half of every group. Of all four pictures a quarter is green and an eighth each red
    and white: of the groups' own halves these are 2, 4 and 4 times as much."""
    x = pictures((GREY, GREEN), (GREEN, GREY), (RED, GREY), (GREY, WHITE))
    groups = np.array([0, 0, 1, 2])
    guessed = colours.guesses(colours.of_groups(x, groups), groups)
    assert guessed == {0: "green", 1: "red", 2: "white"}
    whole = np.zeros(4, int)
    assert colours.guesses(colours.of_groups(x, whole), whole) == {}, "one group tells nothing"


def test_a_few_pixels_are_no_dominant_colour_and_three_are_enough() -> None:
    shares = {"red": 0.4, "blue": 0.2, "grey": 0.2, "pink": 0.11, "green": 0.09}
    every = [colours.Colour(name, "#000000", share) for name, share in shares.items()]
    assert [colour.name for colour in colours.dominant(every)] == ["red", "blue", "grey"]
    assert [colour.name for colour in colours.dominant(every[3:])] == ["pink"]


def test_every_name_is_that_of_its_own_colour() -> None:
    own = np.array([to_rgb(colour) for colour in colours.NAMES.values()])
    places = colours.nearest(np.rint(255 * own).astype(np.uint8))
    assert places.tolist() == list(range(len(colours.NAMES)))


def test_a_large_group_is_judged_by_some_of_its_pictures() -> None:
    """Of 2,000 pictures 30 % are red: 256 drawn ones have that within four standard deviations,
    4 * sqrt(.3 * .7 / 256) = .115, and each time the same."""
    halves = [(RED, RED) if i % 10 < 3 else (GREEN, GREEN) for i in range(2000)]
    x, groups = pictures(*halves), np.zeros(2000, int)
    first, second = (colours.of_groups(x, groups)[0] for _ in range(2))
    assert first == second
    assert {colour.name: colour.share for colour in first}["red"] == pytest.approx(0.3, abs=0.115)

"""Dominant colours of groups of pictures, by plain English names.

A pixel counts for the named colour that is nearest in CIELAB, where colours are about as far apart
as they look. So a group's colours are shares of a few names, which can be compared with those of
all groups. Of each group at most as many pixels are looked at as 256 pictures have here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer, UInt8

from narrows.data import blocks

NAMES = {  # as photographs have them: black is not as dark, nor red as strong, as can be
    "black": "#222222",
    "grey": "#848484",
    "white": "#ececec",
    "brown": "#6b4a2f",
    "beige": "#cdb694",
    "red": "#b92a2e",
    "dark red": "#6a1f26",
    "orange": "#dc7a2c",
    "yellow": "#e0c341",
    "green": "#5d9147",
    "dark green": "#35492c",
    "turquoise": "#4aa5a0",
    "blue": "#3a5cb4",
    "dark blue": "#253354",
    "light blue": "#93b7da",
    "purple": "#7d4a8c",
    "pink": "#dc8fa5",
}
N_COLOURS = 3
LEAST = 0.1
"""Share of the pixels that each dominant colour has at least."""
MOST = 0.5
"""A group with a larger share of a colour mostly has this one."""
TELLING = 1.5
"""How many times as frequent as in all groups together a colour is that a group is called by."""
N_PICTURES = 256
SIDE = 16
"""Rows and columns of pixels of a picture that are looked at."""


class Colour(NamedTuple):
    """A colour that some pixels of a group have."""

    name: str
    """One of `NAMES`."""
    patch: str
    """Mean of these pixels, as in #rrggbb."""
    share: float
    """Their share of the group's pixels."""


def of_groups(
    x: UInt8[np.ndarray, "N C H W"], groups: Integer[np.ndarray, " N"]
) -> dict[int, list[Colour]]:
    """Colours by group, the most frequent first; none where pictures have no three channels, or
    all pixels are grey.

    Args:
        x: pictures, which may be memory-mapped.
        groups: number of each picture's group; below 0 it is in none.
    """
    if x.shape[1] != 3:
        return {}
    pixels = {}
    for group in np.unique(groups[groups >= 0]):
        rows = blocks.subset(np.flatnonzero(groups == group), N_PICTURES, seed=0)
        pixels[int(group)] = middles(blocks.take(x, rows))
    if all((rgb == rgb[:, :1]).all() for rgb in pixels.values()):
        return {}
    return {group: named(rgb) for group, rgb in pixels.items()}


def dominant(colours: Sequence[Colour]) -> list[Colour]:
    """The colours that many pixels have, three at most."""
    return [colour for colour in colours if colour.share >= LEAST][:N_COLOURS]


def guesses(of_each: Mapping[int, Sequence[Colour]], groups: np.ndarray) -> dict[int, str]:
    """Guesses at names: the dominant colours that tell a group from all together.

    >>> red, grey = Colour("red", "#b92a2e", 0.6), Colour("grey", "#848484", 0.4)
    >>> guesses({0: [red, grey], 1: [grey._replace(share=1.0)]}, np.array([0, 1]))
    {0: 'mostly red'}

    Args:
        of_each: colours by group, `of_groups`.
        groups: number (N,) of each picture's group.
    """
    every = dict.fromkeys(NAMES, 0.0)
    n_all = sum(np.count_nonzero(groups == group) for group in of_each)
    for group, colours in of_each.items():
        for colour in colours:
            every[colour.name] += colour.share * np.count_nonzero(groups == group) / n_all
    guessed = {}
    for group, colours in of_each.items():
        own = [c for c in dominant(colours) if c.share >= TELLING * every[c.name]]
        if own:
            first = "mostly " if own[0].share > MOST else ""
            guessed[group] = first + ", ".join(colour.name for colour in own)
    return guessed


def middles(x: UInt8[np.ndarray, "N 3 H W"]) -> UInt8[np.ndarray, "n 3"]:
    """Red, green and blue of pixels in the middle half of each side, which the background beside a
    picture that is no square does not reach."""
    sides = [np.linspace(side // 4, side - 1 - side // 4, SIDE).astype(int) for side in x.shape[2:]]
    rows, columns = map(np.unique, sides)
    return x[:, :, rows[:, None], columns].transpose(0, 2, 3, 1).reshape(-1, 3)


def named(rgb: UInt8[np.ndarray, "n 3"]) -> list[Colour]:
    """The colours of these pixels, the most frequent first.

    >>> for colour in named(np.array([[20, 20, 90], [30, 40, 90], [255, 255, 255]], np.uint8)):
    ...     print(colour.name, colour.patch, round(colour.share, 2))
    dark blue #191e5a 0.67
    white #ffffff 0.33
    """
    numbers = nearest(rgb)
    colours = []
    for number, name in enumerate(NAMES):
        own = rgb[numbers == number]
        if len(own):
            mean = np.rint(own.mean(axis=0)).astype(np.uint8)
            colours.append(Colour(name, f"#{mean.tobytes().hex()}", len(own) / len(rgb)))
    return sorted(colours, key=lambda colour: -colour.share)


def nearest(rgb: UInt8[np.ndarray, "n 3"]) -> Integer[np.ndarray, " n"]:
    """Place in `NAMES` of the colour that looks most like each pixel."""
    from scipy.spatial import KDTree

    colours = b"".join(bytes.fromhex(colour[1:]) for colour in NAMES.values())
    tree = KDTree(lab(np.frombuffer(colours, np.uint8).reshape(-1, 3)))
    places: np.ndarray = tree.query(lab(rgb))[1]
    return places


def lab(rgb: UInt8[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """The colours in CIELAB: lightness from 0 to 100, red from green, yellow from blue.

    >>> lab(np.array([[255, 255, 255], [255, 0, 0]], np.uint8)).round().tolist()
    [[100.0, 0.0, 0.0], [54.0, 81.0, 70.0]]
    """
    from PIL import Image, ImageCms

    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(*profiles, "RGB", "LAB")
    converted = ImageCms.applyTransform(Image.fromarray(rgb[None]), transform)
    values = np.asarray(converted)[0]
    return np.column_stack([values[:, 0] / 2.55, values[:, 1:].view(np.int8)])

"""Where a picture was taken, as nearly as is kept of it: to a hundredth of a degree, about 1 km."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

DIGITS = 2
MOST = (90, 180)  # degrees of latitude, of longitude
SIGNS = ({"N": 1, "S": -1}, {"E": 1, "W": -1})


class Place(NamedTuple):
    """A place on Earth, in degrees that are rounded to .01."""

    latitude: float
    """North of the equator, from -90 to 90."""
    longitude: float
    """East of Greenwich, from -180 to 180."""

    def __str__(self) -> str:
        """In words that people use.

        >>> str(Place(52.52, 13.4)), str(Place(-33.87, -70.0))
        ('52.52 N, 13.40 E', '33.87 S, 70.00 W')
        """
        north, east = "NS"[self.latitude < 0], "EW"[self.longitude < 0]
        return f"{abs(self.latitude):.2f} {north}, {abs(self.longitude):.2f} {east}"


def rounded(latitude: float, longitude: float) -> Place | None:
    """The place, rounded; None where there is none of these degrees, and at 0, 0, which is in the
    sea and what devices say that do not know where they are.

    >>> rounded(52.5163, 13.3777), rounded(52.5163, 213.4), rounded(0.0, 0.0)
    (Place(latitude=52.52, longitude=13.38), None, None)
    """
    if not (abs(latitude) <= MOST[0] and abs(longitude) <= MOST[1]):
        return None
    place = Place(round(latitude, DIGITS) + 0.0, round(longitude, DIGITS) + 0.0)  # -0.0 is 0.0
    return place if any(place) else None


def of_gps(letters: Sequence[Any], angles: Sequence[Any]) -> Place | None:
    """The place that EXIF tells; None where it does not, or nothing that makes sense.

    >>> of_gps(("S", "E"), ((33, 51, 54), (151, 12.5, 0)))
    Place(latitude=-33.87, longitude=151.21)

    Args:
        letters: N or S, E or W.
        angles: degrees, minutes and seconds of latitude and longitude.
    """
    try:
        signs = [own[letter.strip("\0 ")] for own, letter in zip(SIGNS, letters, strict=True)]
        degrees = [_degrees(*map(float, angle)) for angle in angles]
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError):
        return None
    return rounded(*(sign * own for sign, own in zip(signs, degrees, strict=True)))


def _degrees(whole: float, minutes: float, seconds: float) -> float:
    if not (whole >= 0 and 0 <= minutes <= 60 and 0 <= seconds <= 60):
        raise ValueError("no angle")
    return whole + minutes / 60 + seconds / 3600

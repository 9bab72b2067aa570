"""Words of a text in any script: letters with their marks, and pairs of them where no spaces are.

For a regular expression combining marks are no letters, although they are the vowels of many
scripts of Asia; and a Chinese or Thai sentence is a single word. Which of its letters belong
together only a dictionary knows, and pairs do without one.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata

RULE = "words and pairs"
"""Name of what `tokens` does, in a schema."""
WITHOUT_SPACES = (  # Unicode's blocks, by their first and last character
    r"\u0e00-\u0eff",  # Thai, Lao
    r"\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f",  # Myanmar
    r"\u1780-\u17ff",  # Khmer
    r"\u1950-\u19df\u1a20-\u1aaf\uaa80-\uaadf",  # Tai Le, Tai Lue, Tai Tham, Tai Viet
    r"\u1b00-\u1b7f\ua980-\ua9df",  # Balinese, Javanese
    r"\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c",  # what repeats or counts
    r"\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001b000-\U0001b16f",  # Hiragana, Katakana
    r"\u3100-\u312f\u31a0-\u31bf",  # Bopomofo
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",  # Chinese characters
)
JOINERS = r"\u200c\u200d"  # between letters of one word, in Persian for instance
UNSEEN = re.compile(r"[\u00ad\u2060\ufeff]")  # a soft hyphen and the like, in the midst of words


def tokens(text: str) -> list[str]:
    """Words of two characters or more in small letters, and pairs of neighbouring characters of
    scripts without spaces; a character is one letter with its marks (NFC).

    >>> tokens("The cafe\u0301 has 2 rooms")
    ['the', 'café', 'has', 'rooms']
    >>> tokens("天气好, iPhone手机 和")
    ['天气', '气好', 'iphone', '手机', '和']
    """
    text = unicodedata.normalize("NFC", UNSEEN.sub("", text).lower())
    words: list[str] = []
    for match in _runs().finditer(text):
        run = match[0]
        if match.lastgroup == "word":
            words += [run] if len(run) > 1 else []
            continue
        characters = _characters().findall(run)
        pairs = ["".join(pair) for pair in itertools.pairwise(characters)]
        words += pairs or characters
    return words


def has_pairs(text: str) -> bool:
    """Whether most letters of a text are of scripts without spaces.

    >>> has_pairs("天气 and"), has_pairs("天气 in Shanghai")
    (False, False)
    """
    n_letters = sum(map(str.isalpha, text))
    return 2 * len(_characters().findall(text)) > n_letters


@functools.cache
def _marks() -> str:
    """All combining marks, and what joins letters, for a class of characters in a pattern."""
    planes = (*range(0x0300, 0x20000), *range(0xE0100, 0xE01F0))
    marks = [chr(code) for code in planes if unicodedata.category(chr(code)).startswith("M")]
    return re.escape("".join(marks)) + JOINERS


@functools.cache
def _characters() -> re.Pattern[str]:
    """A letter of a script without spaces, with its marks; marks alone are no \\w."""
    return re.compile(rf"[{''.join(WITHOUT_SPACES)}](?<=\w)[{_marks()}]*")


@functools.cache
def _runs() -> re.Pattern[str]:
    """A word: letters of other scripts; or letters of those without spaces."""
    letters, marks = rf"[^\W{''.join(WITHOUT_SPACES)}]", f"[{_marks()}]"
    word = f"(?P<word>{letters}+(?:{marks}+{letters}*)*)"
    return re.compile(f"{word}|(?:{_characters().pattern})+")

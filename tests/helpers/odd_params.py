"""Files that are nearly a params.yaml: a valid one with something odd done to it, by a seed.

    python tests/helpers/odd_params.py 2000 [SEED]

loads so many of them in one process and prints what was tried, the slowest and the longest message.
"""

import copy
import io
import random
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML

from helpers.finished import PARAMS
from narrows.config import params
from narrows.errors import UserError

LONGEST = 1000
"""Characters that a message may have."""
ROWS = ("baselines", "autoencoders", "searches", "clusterings", "deep_clusterings")
BASE = copy.deepcopy(PARAMS)
BASE["autoencoders"] |= {"heir": {"like": "narrow", "code_size": 3}, "next": {"like": "heir"}}
BASE["searches"] = {
    "tuned": {
        "row": "heir",
        "space": {"code_size": {"low": 2, "high": 9}, "network.hidden": {"layers": [1, 2]}},
        "objectives": [{"name": "reconstruction"}],
        "n_trials": 2,
    }
}
BASE["searches"]["tuned"]["space"]["network.hidden"]["units"] = [2, 8]
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 7, 0.5, -0.5, 10**6, 10**9, 10**30, 2**63, 1e-300, 1e308),
    *(float("nan"), float("inf"), "", "none", "null", "narrow", "../x", "a b", "\0", "ä" * 300),
    *("x" * 50_000, [], {}, [[]], [None], [1] * 1000, ["x" * 300] * 50, {"name": "none"}),
    *({"name": None}, {"name": "x" * 5000}, {"low": 1, "high": 10**12}, {"layers": [0, 10**8]}),
    *({"layers": [0, 99], "units": [1, 10**9]}, {str(i): i for i in range(500)}, {1: {2: {3: 4}}}),
)
TEXTS = (
    *("[" * 5000, "{a: " * 500, "- " * 3000, "? " * 300, "9" * 6000, "0x" + "f" * 9000),
    *("2020-99-99", "0000-00-00", "!!int abc", "!!float x", "!!bool 7", "!!timestamp z", "!!null"),
    *("!!python/object/apply:os.system [exit]", "!x y", "*a", "&a [*a]", "&a {<<: *a}", "<<: 5"),
    *(
        "\t",
        "\x00",
        "\ufeff",
        "---\n",
        "%YAML 1.1\n",
        "'",
        '"',
        "|",
        ">-",
        "}",
        "]",
        ": ",
        "@",
        "`",
    ),
)


def odd(seed: int) -> bytes:
    """A file; the same for the same seed."""
    generator = random.Random(seed)
    raw = copy.deepcopy(BASE)
    for _ in range(generator.choice([1, 1, 1, 2, 5])):
        generator.choice([_set, _set, _rename, _delete, _move, _inherit, _inherit])(raw, generator)
    stream = io.StringIO()
    YAML(typ="safe").dump(raw, stream)
    text = stream.getvalue()
    if generator.random() < 0.3:
        text = _tear(text, generator)
    return text.encode("utf-8", "surrogatepass")


def problem(file: Path) -> str | None:
    """What the message about a file says; None where it loads. Anything but a `UserError` is
    raised, and so is a message that is too long or has several lines."""
    try:
        params.load(file)
        return None
    except UserError as error:
        message = str(error)
    if len(message) > LONGEST or "\n" in message:
        raise ValueError(f"no short sentence: {message}")
    return message


def _place(raw: Any, generator: random.Random) -> tuple[Any, Any]:
    """A mapping or list in it, and a key of that."""
    places = []
    nodes = [raw]
    while nodes:
        node = nodes.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node))
        places += [(node, key) for key in keys]
        nodes += [node[key] for key in keys if isinstance(node[key], dict | list)]
    return generator.choice(places)


def _set(raw: Any, generator: random.Random) -> None:
    node, key = _place(raw, generator)
    node[key] = copy.deepcopy(generator.choice(VALUES))


def _rename(raw: Any, generator: random.Random) -> None:
    node, key = _place(raw, generator)
    if isinstance(node, dict):
        names = (f"{key}s", str(key)[1:], "a" * 60_000, "name", "like", 5, None, "A b", "x" * 150)
        node[generator.choice(names)] = node.pop(key)


def _delete(raw: Any, generator: random.Random) -> None:
    node, key = _place(raw, generator)
    del node[key]


def _move(raw: Any, generator: random.Random) -> None:
    """Puts a part of the file elsewhere, too."""
    (node, key), (other, place) = _place(raw, generator), _place(raw, generator)
    other[place] = copy.deepcopy(node[key])


def _inherit(raw: Any, generator: random.Random) -> None:
    """Makes a row like another, or like something odd."""
    sections = [raw[name] for name in ROWS if isinstance(raw.get(name), dict)]
    rows = [(k, row) for section in sections for k, row in section.items() if isinstance(row, dict)]
    if rows:
        bases = (None, 5, [], "x" * 5000, "nothing", *(key for key, _ in rows))
        heir = generator.choice(rows)[1]
        heir["like"] = generator.choice(bases)
        if generator.random() < 0.3:
            heir["name"] = generator.choice(["plain", "variational", "pca", "x", 5, None])


def _tear(text: str, generator: random.Random) -> str:
    """Puts something into the text, in place of a few characters or of all that follows."""
    start = generator.randrange(len(text))
    end = generator.choice([start, start + 1, start + 20, len(text)])
    return text[:start] + generator.choice(TEXTS) + text[end:]


def main(count: int, first: int = 0) -> None:
    loaded, slowest, longest = 0, 0.0, ""
    with TemporaryDirectory() as folder:
        file = Path(folder, "params.yaml")
        for seed in range(first, first + count):
            file.write_bytes(odd(seed))
            began = time.monotonic()
            try:
                message = problem(file)
            except BaseException:
                sys.stderr.write(f"seed {seed}\n")
                raise
            slowest = max(slowest, time.monotonic() - began)
            loaded += message is None
            longest = max(longest, message or "", key=len)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count} files: {loaded} loaded, {count - loaded} sentences; slowest {slowest:.2f} s")
    print(f"{megabytes:.0f} MB at most; longest message ({len(longest)} characters): {longest}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

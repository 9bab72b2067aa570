"""A trained encoder as an ONNX file.

narrows export conv
narrows export affine-conv-self-label encoder.onnx
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from narrows.commands import _base
from narrows.config import params
from narrows.errors import UserError, say
from narrows.rendering import progress
from narrows.store import features
from narrows.store.files import atomic_write
from narrows.store.reading import read_array


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _base.parser(__name__, __doc__)
    parser.add_argument("row", help="of autoencoders, searches or deep_clusterings")
    parser.add_argument("file", nargs="?", type=Path, help="<row>.onnx if not given")
    return parser


@progress.watch("export")
def main(words: Sequence[str]) -> int:
    """Writes the file and compares its codes with torch's on the first samples."""
    options = parser().parse_args(words)

    from narrows.explore import onnx

    dataset = params.load().dataset.name
    artifacts = Path("artifacts", dataset)
    model = onnx.trained_encoder(artifacts, options.row)
    config = {"input": model.cfg.input}
    x = features.input_of(artifacts, config, read_array(Path("data", dataset, "x.npy")))
    file = options.file or Path(f"{options.row}.onnx")
    with atomic_write(file) as partial:
        onnx.export(model, x.shape[1:], partial)
        difference = onnx.difference(model, partial, x[:1000])
        if difference > onnx.TOLERANCE:
            raise UserError(
                f"the codes of {file} differ from torch's by {difference:.1e} of the largest"
            )
    say(f"{file}: x {('batch', *x.shape[1:])} in [0, 1] -> code; {difference:.0e} from torch's")
    return 0

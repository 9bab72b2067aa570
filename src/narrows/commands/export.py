"""`python -m narrows export ROW [FILE]`: a trained encoder as an ONNX file."""

import argparse
from pathlib import Path

from narrows.config import params
from narrows.errors import UserError


def main(argv: list[str]) -> int:
    """Writes the file and compares its codes with torch's on the first samples."""
    parser = argparse.ArgumentParser("python -m narrows export", description=__doc__)
    parser.add_argument("row", help="of autoencoders, searches or deep_clusterings")
    parser.add_argument("file", nargs="?", type=Path, help="<row>.onnx if not given")
    asked = parser.parse_args(argv)

    import numpy as np

    from narrows.explore import onnx
    from narrows.store.files import atomic_write
    from narrows.store.reading import existing

    dataset = params.load().dataset.name
    model = onnx.trained(Path("artifacts", dataset), asked.row)
    x = np.load(existing(Path("data", dataset, "x.npy")), mmap_mode="r")
    file = asked.file or Path(f"{asked.row}.onnx")
    with atomic_write(file) as partial:
        onnx.export(model, x.shape[1:], partial)
        difference = onnx.difference(model, partial, x[:1000])
        if difference > onnx.TOLERANCE:
            raise UserError(
                f"the codes of {file} differ from torch's by {difference:.1e} of the largest"
            )
    print(f"{file}: x {('batch', *x.shape[1:])} in [0, 1] -> code; {difference:.0e} from torch's")
    return 0

"""Stage prepare: data/<dataset>/raw -> x.npy, split.npy, labels.npy beside it."""

from narrows import errors
from narrows.stages import prepare

if __name__ == "__main__":
    errors.run(prepare.main)

"""Stage tune: makes sure of the trials of every search -> artifacts/<dataset>/searches/<key>."""

from narrows import errors
from narrows.stages import tune

if __name__ == "__main__":
    errors.run(tune.main)

"""Stage encode: baselines, autoencoders and winners of searches, or one row in this process."""

from narrows import errors
from narrows.stages import encode

if __name__ == "__main__":
    errors.run(encode.main)

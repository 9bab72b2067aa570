"""Stage pretrained: originals to features by encoders that others have trained."""

from narrows import errors
from narrows.stages import pretrained

if __name__ == "__main__":
    errors.run(pretrained.main)

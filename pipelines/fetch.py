"""Stage fetch: raw files, verified -> data/<dataset>/raw; params.yaml, checked, in parts."""

from narrows import errors
from narrows.stages import fetch

if __name__ == "__main__":
    errors.run(fetch.main)

"""Stage seeds: rows again from other seeds, encoder and all -> artifacts/<dataset>/seeds."""

from narrows import errors
from narrows.stages import seeds

if __name__ == "__main__":
    errors.run(seeds.main)

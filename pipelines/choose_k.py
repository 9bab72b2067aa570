"""Stage choose_k: which number of clusters, without a label -> artifacts/<dataset>/choose_k."""

from narrows import errors
from narrows.stages import choose_k

if __name__ == "__main__":
    errors.run(choose_k.main)

"""Stage deep_cluster: encoders refined with clusters -> artifacts/<dataset>/deep_clusterings."""

from narrows import errors
from narrows.stages import deep_cluster

if __name__ == "__main__":
    errors.run(deep_cluster.main)

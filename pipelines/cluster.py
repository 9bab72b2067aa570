"""Stage cluster: codes of one encoder in clusters -> artifacts/<dataset>/clusterings/<key>."""

from narrows import errors
from narrows.stages import cluster

if __name__ == "__main__":
    errors.run(cluster.main)

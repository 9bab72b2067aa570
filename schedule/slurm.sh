#!/bin/sh
# Slurm: `sbatch schedule/slurm.sh`. Eight workers on as many GPUs add to one study in PostgreSQL.
# The first of them prepares the data. Studies and runs are on servers, because nodes cannot share an
# sqlite file.
#SBATCH --job-name=narrows-search
#SBATCH --array=0-7
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=4
#SBATCH --time=02:30:00
#SBATCH --signal=B:TERM@120
: "${NARROWS_STUDIES:?set it to the URL of the database: postgresql+psycopg://user:password@host/name}"
: "${MLFLOW_TRACKING_URI:?set it to the URL of a server or a database: http://host:5000}"
case "$NARROWS_STUDIES $MLFLOW_TRACKING_URI" in
  *sqlite:*) echo "slurm.sh: nodes cannot share an sqlite file; name servers in NARROWS_STUDIES and MLFLOW_TRACKING_URI" >&2; exit 1 ;;
esac
cd "$SLURM_SUBMIT_DIR" || exit 1
exec .venv/bin/python pipelines/search.py "${SEARCH:-small-codes}" --timeout 2h

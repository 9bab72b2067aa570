#!/bin/sh
# Slurm: `sbatch schedule/slurm.sh`. Eight workers on as many GPUs add to one study in PostgreSQL.
# The first of them prepares the data. MLFLOW_TRACKING_URI names a server or a database, too: nodes
# may not share an sqlite file.
#SBATCH --job-name=narrows-search
#SBATCH --array=0-7
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=4
#SBATCH --time=02:30:00
#SBATCH --signal=B:TERM@120
: "${NARROWS_STUDIES:?set it to the URL of the database: postgresql+psycopg://user:password@host/name}"
cd "$SLURM_SUBMIT_DIR" || exit 1
exec .venv/bin/python pipelines/search.py "${SEARCH:-small-codes}" --timeout 2h

"""Set-up for all tests: two cores are shared by the workers, and MLflow sends nothing out."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DVC_NO_ANALYTICS"] = "1"

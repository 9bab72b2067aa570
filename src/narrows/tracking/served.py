"""The champion as MLflow serves it: this file is logged with the model and run, nothing is
unpickled. Beside it lie the package's files as they were, and the artifacts of one clustering."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import BAD_REQUEST, MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from narrows.clustering import saved
from narrows.data import new_files
from narrows.errors import UserError

if os.environ.get("NARROWS_SERVES"):  # MLflow puts the data before the sentence of every error
    np.set_printoptions(threshold=4, edgeitems=1)

SERVED = "served.json"  # {"clustering": key of the row, "dtype": type of the samples as stored}


class Served(PythonModel):
    """A clustering that answers for new samples."""

    def load_context(self, context: Any) -> None:
        """Loads the clustering from the model's artifacts."""
        folder = Path(context.artifacts["clustering"])
        served = json.loads((folder / SERVED).read_text())
        self.dtype = np.dtype(served["dtype"])
        self.saved = saved.load(folder, served["clustering"])

    # an array is a type that MLflow takes no signature from; without one it warns at every start
    def predict(self, context: Any, model_input: np.ndarray, params: Any = None) -> pd.DataFrame:
        """One row a sample; samples (N, ...) are of the scale of data/<dataset>/x.npy.

        Raises:
            MlflowException: a sentence, sent with status 400.
        """
        try:
            answer = self.saved.describe(new_files.as_stored(np.asarray(model_input), self.dtype))
        except UserError as error:
            raise MlflowException(str(error), error_code=BAD_REQUEST) from None
        return pd.DataFrame(
            {
                "code": list(answer.codes.astype(np.float64)),
                "cluster": answer.clusters.astype(np.int64),
                "soft": list(answer.soft.astype(np.float64)),
                "distance": answer.distances.astype(np.float64),
                "reconstruction_error": answer.errors.astype(np.float64),
            }
        )


set_model(Served())

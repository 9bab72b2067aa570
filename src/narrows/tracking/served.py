"""A row as MLflow serves it: this file is logged with the model and run, nothing is unpickled.
Beside it lie the package's files as they were, and the artifacts of the row."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import BAD_REQUEST, MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from narrows.data import new_files
from narrows.errors import UserError

if os.environ.get("NARROWS_SERVES"):  # MLflow puts the data before the sentence of every error
    np.set_printoptions(threshold=4, edgeitems=1)


class Served(PythonModel):
    """A clustering, or an encoder alone, that answers for new samples."""

    def load_context(self, context: Any) -> None:
        """Loads the row from the model's artifacts."""
        from narrows.clustering import saved  # torch, which a model is logged without

        ((kind, place),) = context.artifacts.items()  # "clustering" or "encoder"
        served = json.loads((Path(place) / "served.json").read_text())
        self.dtype = np.dtype(served["dtype"])
        self.is_clustering = kind == "clustering"
        load = saved.load if self.is_clustering else saved.load_encoder
        self.saved: Any = load(Path(place), served[kind])

    # an array is a type that MLflow takes no signature from; without one it warns at every start
    def predict(self, context: Any, model_input: np.ndarray, params: Any = None) -> pd.DataFrame:
        """One row a sample; samples (N, ...) are of the scale of data/<dataset>/x.npy.

        Raises:
            MlflowException: a sentence, sent with status 400.
        """
        try:
            return self._answers(new_files.as_stored(np.asarray(model_input), self.dtype))
        except UserError as error:
            raise MlflowException(str(error), error_code=BAD_REQUEST) from None

    def _answers(self, x: np.ndarray) -> pd.DataFrame:
        if not self.is_clustering:
            codes, errors = list(self.saved.codes(x).astype(np.float64)), self.saved.errors(x)
            return pd.DataFrame({"code": codes, "reconstruction_error": errors.astype(np.float64)})
        answer = self.saved.describe(x)
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

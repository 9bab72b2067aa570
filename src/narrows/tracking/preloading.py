"""Imported by the forkserver that workers are forked from: what each of them would otherwise do at
its first run in a database."""

import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  # the tables' classes
from sqlalchemy.orm import configure_mappers

configure_mappers()

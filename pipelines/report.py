"""Stage report: labels meet clusters. artifacts/ -> results/<dataset>, and scores to MLflow."""

from narrows import errors
from narrows.stages import report

if __name__ == "__main__":
    errors.run(report.main)

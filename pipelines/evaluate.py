"""Stage evaluate: measures each encoder without a label -> artifacts/<dataset>/evaluations."""

from narrows import errors
from narrows.stages import evaluate

if __name__ == "__main__":
    errors.run(evaluate.main)

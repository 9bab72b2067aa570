"""narrows: experiment-tracked autoencoders and deep clustering."""

import gc

# Every stage is a process that imports torch and mlflow: a million objects that live to its end.
# At Python's threshold of 700 the collector goes through them for 2 of 9 seconds.
gc.set_threshold(100_000, 20, 100)

"""Imported first by the forkserver that workers are forked from, and only by it.

What is imported there lives as long as it does. At Python's threshold of 700 the collector would go
through a million such objects for 2 of 9 seconds.
"""

import gc

gc.set_threshold(100_000, 20, 100)

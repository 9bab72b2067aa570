"""Imported first by the forkserver that workers are forked from, and only by it.

What is imported there lives as long as it does.
"""

from narrows.engine.collector import tune_collector

tune_collector()

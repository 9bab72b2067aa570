"""Tables: files as columns of cells, what kind each column is, and its numbers in [0, 1]."""

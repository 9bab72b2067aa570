"""A clustering as a file for embedding-atlas."""

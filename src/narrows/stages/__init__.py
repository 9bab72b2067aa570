"""The pipeline: a file for each DVC stage, which says what its rows are and how one is computed."""

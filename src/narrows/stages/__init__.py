"""What the scripts in pipelines/ run: a stage reads, calls the package and writes."""

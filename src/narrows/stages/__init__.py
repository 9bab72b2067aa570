"""What each stage does, as functions that the scripts of pipelines/ call."""

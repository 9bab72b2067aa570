"""The pipeline in Python: the functions behind `import narrows as nw`, and what they return."""

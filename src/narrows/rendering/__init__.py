"""Arrays as pictures, rows as pages. Imports nothing of the package."""

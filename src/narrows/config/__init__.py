"""params.yaml as Python: typed, checked, plug-ins by name."""

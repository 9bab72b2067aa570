"""Bytes from anywhere as x.npy, and parts of it."""

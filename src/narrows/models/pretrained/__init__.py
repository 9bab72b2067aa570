"""Encoders that others have trained, as rows of `pretrained:` name them."""

"""What is measured of an encoder without a label."""

"""What all stages left, as results/<dataset>: labels meet clusters here."""

"""A clustered table as a page: profiles, odd rows, rules."""

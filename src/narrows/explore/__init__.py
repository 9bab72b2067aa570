"""What people do with finished rows."""

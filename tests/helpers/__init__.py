"""What tests share: small data, small rows, projects in a folder of their own."""

"""Who may do what: accounts, grants, the registry, and the seat."""

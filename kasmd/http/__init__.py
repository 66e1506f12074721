"""What every HTTP face shares: the first byte, the guard, the route table."""

"""What the theorem's conditions rest on in one member: T, lambda, Jacobians, the prior's shape."""

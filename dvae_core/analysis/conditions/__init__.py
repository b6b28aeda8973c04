"""The quantities behind the theorem's conditions in one member: T, lambda, Jacobians, the prior's shape."""

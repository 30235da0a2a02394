"""The faces: each translates between the bus and one kind of user, and none knows another."""

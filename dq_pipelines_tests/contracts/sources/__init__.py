"""What holds of every source: how its inputs are listed, told apart by version, and read."""

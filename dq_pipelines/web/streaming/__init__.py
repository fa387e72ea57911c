"""Events of a run as they happen, for any number of readers."""

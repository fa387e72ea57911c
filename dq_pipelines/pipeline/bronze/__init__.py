"""From inputs to bronze: which inputs are new, which are skipped, and how they land."""

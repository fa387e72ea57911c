"""From landed rows to judged ones: types and the steps of `silver.transform`. Pure plans, no I/O."""

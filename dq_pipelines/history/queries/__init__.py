"""What is asked of the history: status, series, trends, scores and totals."""

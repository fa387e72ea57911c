"""pandas frames: how Polars takes them, and what pandas says of their types. No backend judges with pandas."""

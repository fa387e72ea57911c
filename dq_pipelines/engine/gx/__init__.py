"""Great Expectations: rules that it judges itself, and suites that it loads."""

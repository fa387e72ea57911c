"""Files that people send to the gateway, until they are saved as a table's first input: staging, inspection and trials."""

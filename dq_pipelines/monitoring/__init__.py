"""What is told about tables beyond their rules: suggestions of rules to begin with. Judging belongs in `engine`."""

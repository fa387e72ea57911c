"""What stands before every answer: authentication, security headers, limits and proxies."""

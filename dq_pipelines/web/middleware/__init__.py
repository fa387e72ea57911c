"""Middleware of the gateway: authentication, security headers, request limits and proxies."""

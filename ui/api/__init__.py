"""The HTTP API, one module a resource. Errors are RFC 9457 problems, times are UTC with Z."""

"""The HTTP interface: routes, access, admission control, errors. The only room with FastAPI."""

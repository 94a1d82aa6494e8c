"""The web app: live pages, history pages, and the HTTP API."""

"""The agent as one file, `yieldline-agent.pyz`, for a PC with nothing but Python. See `build`."""

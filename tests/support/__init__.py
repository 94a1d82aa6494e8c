"""Real parts for tests: brokers, databases, processes, a cable to cut."""

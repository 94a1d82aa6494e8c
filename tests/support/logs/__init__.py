"""One module a format: the logs that the laws of a parser are tested on."""

"""How fast it is, each figure beside a yardstick; `make bench`. Nothing here asserts a time."""

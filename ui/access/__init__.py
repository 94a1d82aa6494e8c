"""Who comes in, and what they may do: asked anew for every page, call and stream."""

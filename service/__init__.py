"""Every message judged, stored once, answered once; the store, its queries and the command line."""

"""What retention deletes, kept as Parquet files: written, read back, and only then deleted."""

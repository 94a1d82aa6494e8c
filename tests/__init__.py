"""Everything that proves the project: unit, integration, acceptance; `support` holds the parts."""

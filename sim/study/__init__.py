"""Studies: many runs, what they say together, and how it looks."""

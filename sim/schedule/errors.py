"""What can be wrong with a result."""


class InfeasibleError(ValueError):
    """A result says what cannot have happened: a mistake of whoever made it. The message says what, and where."""

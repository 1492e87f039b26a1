"""Who runs which task: pure functions of what a node believes (a View)."""

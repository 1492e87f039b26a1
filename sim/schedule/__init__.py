"""The schedule level: tasks, links and nodes on a heap of events, fast enough for millions of task events."""

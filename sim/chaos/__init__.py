"""Chaos: whole clusters of real cores under random faults and random jobs, and what must hold all the while."""

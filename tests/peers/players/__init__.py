"""Players: what is measured, each as a program that a turn runs; those of peers know nothing of pnode.

They run in the peers' own environment, as `python -m players.with_NAME WORKLOAD`, with the directory above in
PYTHONPATH: so they import each other with one dot, and nothing else of the project.
"""

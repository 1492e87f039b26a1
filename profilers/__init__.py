"""How fast things are: estimators of delay, bandwidth, resources and run time.

`profile.Profile` is what a node has learnt; `resources` says what its machine has and does.
"""

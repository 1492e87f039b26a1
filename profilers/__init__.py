"""How fast things are: estimators of delay, bandwidth, resources and run time."""

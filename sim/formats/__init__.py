"""Files of the field, read and written: graphs, networks, scenarios, traces."""

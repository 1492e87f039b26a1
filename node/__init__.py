"""The trio shell: sockets, processes, disk and terminal around the pure core."""

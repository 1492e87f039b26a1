"""Growth: what one more task costs as there are more of them, more nodes, or more jobs at once."""

"""What nodes say and become: pure machines and the wire format. Knows nobody."""

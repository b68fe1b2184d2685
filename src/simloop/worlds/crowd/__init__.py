"""World `crowd`: people who walk."""

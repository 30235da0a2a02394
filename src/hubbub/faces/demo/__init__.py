"""A demonstration on real processes: two MCP servers, the official client, the command line, a crash."""

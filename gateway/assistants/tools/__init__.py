"""Tools of assistants: read from OpenAPI documents and MCP servers, called by grade."""

"""Where the process meets the world: sockets, HTTP, files."""

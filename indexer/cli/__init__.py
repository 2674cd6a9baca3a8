"""The command line: one module a group of commands. What is heavy is imported by the command that needs it."""

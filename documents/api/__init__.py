"""The HTTP API of documents and tasks: HTTP only, everything else is called."""

"""The HTTP API of documents and tasks; the work itself is done in the layers below."""

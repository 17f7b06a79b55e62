"""Projects, their documents, and the work of turning them into PDF."""

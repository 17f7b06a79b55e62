"""PDFs made ahead of a request, in idle time: which documents, when, and what became of them."""

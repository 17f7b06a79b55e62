"""PDFs of documents, and the annual report made from parts."""

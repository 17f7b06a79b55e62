"""The content of a document's PDF: its edition, its chapters, its blocks."""

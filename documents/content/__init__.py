"""What a document prints: its edition, its chapters, its blocks."""

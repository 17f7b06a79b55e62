"""Sample data: people, projects, texts and pictures, all invented for trying SPMS out."""

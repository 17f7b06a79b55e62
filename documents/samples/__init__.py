"""Sample data: invented people, projects, texts and pictures, to try SPMS."""

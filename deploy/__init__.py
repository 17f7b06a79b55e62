"""Scripts and files for setting up, running and shipping SPMS."""

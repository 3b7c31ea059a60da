"""Questions to PostgreSQL, one file a subject; the schema; a private server for development."""

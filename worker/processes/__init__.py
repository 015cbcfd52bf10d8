"""Both sides of a supervised process, without the database."""

"""The stage that trains."""

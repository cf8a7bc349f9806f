"""The owner's page: signing in, what it shows, and its actions."""

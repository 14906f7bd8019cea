"""Queries for people and monitors: lists, figures, the status of the service, and SQL of the user's own."""

"""Learned and searched mask models, and their training."""

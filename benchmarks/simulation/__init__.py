"""Ninety days of a few hundred synthetic sources in virtual time: what the policy costs servers and what it catches."""

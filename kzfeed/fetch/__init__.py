"""HTTP visits to feeds, article pages and robots.txt, bounded in time, bytes and addresses.

Only this package imports httpx.
"""

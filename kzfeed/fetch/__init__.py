"""HTTP visits to feeds, bounded in time, bytes and addresses. Only this package imports httpx."""

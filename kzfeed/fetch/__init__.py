"""One visit to a server, bounded in time, bytes and addresses: the only room that imports httpx."""

"""What daemons share: due sources and pages, claims on them, pauses and locks of hosts, heartbeats."""

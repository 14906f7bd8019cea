"""Fleet: daemons on several machines that share the due sources of a PostgreSQL database through NATS JetStream.

One member leads: it puts due sources into a stream, one job for each host. All members take jobs from it. The database
stays the schedule and has the claims, so the stream may lose jobs or deliver them twice.
"""

"""Fleet: daemons on several machines that share the due sources of a PostgreSQL database through NATS JetStream.

One member leads: it puts due sources into a stream, those of a host as one message, a *host job*. All members take host
jobs from the stream. The database stays the schedule and has the claims, so the stream may lose host jobs or deliver
them twice.
"""

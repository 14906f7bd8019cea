"""What `kzfeed doctor` examines: this machine, the database, and the network."""

"""Files on disk: written whole or not at all, opened only if they are regular, compressed."""

"""The archive browser: pages over HTTP that show the archive to a person with a browser. It only reads."""

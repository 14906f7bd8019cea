"""The daemon: it is built from the settings, runs its jobs until a signal stops it, and follows the configuration."""

"""The configuration: kzfeed.toml and KZFEED_* variables become one frozen Settings."""

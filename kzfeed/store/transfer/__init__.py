"""Records of articles and sources on their way out of the database and back: exports, restores, folders."""

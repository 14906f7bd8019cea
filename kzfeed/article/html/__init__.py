"""HTML of article bodies: the scanner, visible text and media. Pure, and linear in time and memory."""

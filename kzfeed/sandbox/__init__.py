"""Documents read in processes that can be killed."""

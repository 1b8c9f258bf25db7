# The scheduler, pure.

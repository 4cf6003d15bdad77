"""Message queues: where items wait when they are to outlive the process, or to leave the machine."""

"""What a job consists of; each stage has its host (rows and files) and its child (the work)."""

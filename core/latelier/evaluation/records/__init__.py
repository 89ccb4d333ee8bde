"""What is recorded of pictures, chunk by chunk, and what is known of reference pictures."""

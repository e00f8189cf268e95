"""What is known of rows: counts, timestamps, and whether they are all there."""

"""How an export lands: what is there, what is staged, what is verified and then published."""

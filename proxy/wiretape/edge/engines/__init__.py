"""What speaks HTTP/1.1 to an upstream: two engines behind one seam."""

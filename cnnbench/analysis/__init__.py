"""What networks cost and what runs measured: description, benchmarks, reports, published errors, the lecture."""

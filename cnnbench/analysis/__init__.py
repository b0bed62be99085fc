"""What networks cost and what runs measured: tables of layers, of the zoo and of the lecture's claims."""

"""`cnnbench predict`: what a trained network says of pictures, printed, written and drawn."""

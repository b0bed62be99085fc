"""The bundled sample: images of Fashion-MNIST, and where they are unpacked."""

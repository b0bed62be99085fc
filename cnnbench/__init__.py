"""Train, evaluate, measure and compare the classical convolutional networks of ILSVRC."""

__version__ = "0.2.0"

"""Files for clusters and containers, which `cnnbench template` writes."""

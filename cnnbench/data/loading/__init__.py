"""From a split to batches on the device: order, workers, transforms, prefetching."""

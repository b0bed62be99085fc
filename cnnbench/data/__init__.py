"""From other people's images to batches: layouts, storage, decoding, augmentation, loading, commands."""

"""Which networks cannot be run on whole images, and why; imports nothing, so that it is said at once."""

FIXED: dict[str, str] = {
    "alexnet_tv": "its adaptive pooling brings the map of any image to 6x6, so that its classifier sees one place only",
}

"""OpenCV on one thread: workers are the parallelism, and a forked process cannot take over its parent's threads."""

from __future__ import annotations

import cv2

cv2.setNumThreads(1)

__all__ = ["cv2"]

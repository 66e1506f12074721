"""What the pixels are: rectangles, regions, pixel formats, cursors, changes."""

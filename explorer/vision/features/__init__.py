"""Feature maps and what is read off them: classes, boxes, masks."""

"""For authors: the truth matrix, the rules of the course's content, and the layout of a new lesson."""

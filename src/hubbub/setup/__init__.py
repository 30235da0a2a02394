"""Writing what makes a client use Hubbub, and taking it out again.

A client has files; a file gets edits, each of which adds one part and can find and remove it again. What was
written is recorded, with the bytes that were there before, so that undo brings exactly these back.
"""

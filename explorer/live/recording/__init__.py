"""Records what is followed: a film, and a line of data for every answered frame, beside it.

Three stand in a row, and none waits for the one behind it. The program packs every frame with what
is drawn on it (`recorder`), which is quick, and hands it to a process of its own (`process`), where
it waits in a spool (`spool`) to be painted and encoded with the processor time that is left
(`writer`). A process, not a thread: one that waits for a processor while it holds Python's lock
would stop everything that is live. It also outlives the program: when that is killed, the film ends
with the last frame that was handed over. When the process itself is killed, the pieces it has
written become the film, then or at the next start (`unfinished`).
"""

"""Waking waiters of other processes on this machine.

A waiter binds a Unix datagram socket in a folder named by what it waits for (``sockets.py``);
who commits a change sends one byte to each socket in that folder. Where sockets can't be had
the waiter watches a change counter instead (``watch.py``). Either way a bell is a hint, never
the truth.
"""

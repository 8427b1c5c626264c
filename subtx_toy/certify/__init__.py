"""The certified route: step sizes up to which a claim is proved for one network, every rounding error included.

Never imports ``theory`` or ``training``; the routes meet only where they are compared. The search (``search`` and
what it imports) shares no code with the ``checker``.
"""

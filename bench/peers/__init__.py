"""fastws against others that do the same job: ``python -m bench peers [--quick]``.

Every server is a process that ticks between two signals; the crowd is a process in C that
counts and checks what comes (``generator.c``). Compared is the server's CPU, user and system,
for one client and tick.
"""

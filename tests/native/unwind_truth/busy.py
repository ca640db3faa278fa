# Threads, callbacks from C, signal handlers and an embedded database: deep and varied native stacks under one program.
import ctypes
import signal
import sqlite3
import threading


def query():
    for _ in range(100):
        sqlite3.connect(":memory:").execute("select 1").fetchall()


threads = [threading.Thread(target=query) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 50)(*range(50, 0, -1))
ctypes.CDLL(None).qsort(numbers, 50, 4, Compare(lambda a, b: len(bytearray(2000)) and a[0] - b[0]))

signals = 0


def on_alarm(*_arguments):
    """The next signal is asked for when this one has been answered: on a slow machine they would nest without end."""
    global signals
    signals += 1
    _ = [bytes(1000) for _ in range(10)]
    if signals < 200:
        signal.setitimer(signal.ITIMER_REAL, 0.001)


signal.signal(signal.SIGALRM, on_alarm)
signal.setitimer(signal.ITIMER_REAL, 0.001)
total = sum(len(str(i) * 3) for i in range(200000))
signal.signal(signal.SIGALRM, signal.SIG_IGN)
print(total)

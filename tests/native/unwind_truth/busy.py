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

signal.signal(signal.SIGALRM, lambda *_: [bytes(1000) for _ in range(10)])
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
total = sum(len(str(i) * 3) for i in range(200000))
signal.setitimer(signal.ITIMER_REAL, 0)
print(total)

-- The trace: one SQLite file (.nheap). Prose and examples in docs/trace-format.md.
-- Times are nanoseconds since the trace's start (the first process's first moment) unless a name says otherwise;
-- bytes are requested bytes; ids are dense from 1. A column that is not known is NULL.
-- Since version 2 the rows of stack, stack_total, thread_total, cohort and histogram are in table packed; their tables are
-- empty then, and "nativeheap sql" fills them for a query.

PRAGMA application_id = 0x4E484550; -- "NHEP"
PRAGMA user_version = 5;

-- tool_version, command (JSON array), host, kernel, machine; start_unix_ns, start_monotonic_ns, end_ns (NULL while
-- recording); exact (1, or 0 when births were sampled, if only for a while), sample_bytes (the largest there was in
-- table sampling); bucket_ns (width of a cohort's buckets, may double as a run
-- grows); complete (1 when every event up to each process's last moment was received, set only at close);
-- lost_events; mappings (1 when they were recorded, too; since version 5); peak_bytes, peak_blocks, peak_time_ns, peak_low_bytes, peak_high_bytes (over all processes; low = high
-- when exact).
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- One row per process image: an exec ends one row and starts another with the same pid and image + 1.
-- The first row is the process that was started. Totals follow CONTRACT: a successful realloc counts one
-- allocation and one free.
CREATE TABLE process (
    id INTEGER PRIMARY KEY,
    pid INTEGER NOT NULL,
    image INTEGER NOT NULL,
    parent_id INTEGER,
    parent_pid INTEGER,
    origin TEXT NOT NULL,               -- 'run', 'fork', 'exec', 'spawn' (new process with its own handshake),
                                        -- 'attach' (it was there before its recording began)
    command TEXT,                       -- arguments joined by spaces
    executable TEXT,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER,
    ending TEXT,                        -- 'exit', 'signal', 'exec', 'unknown', 'detached' (it went on); NULL while
                                        -- it lives
    exit_code INTEGER,
    signal INTEGER,
    complete INTEGER NOT NULL DEFAULT 0,
    missed_calls INTEGER NOT NULL DEFAULT 0,   -- forwarded without an event (reentrant calls, recording off)
    allocations INTEGER NOT NULL DEFAULT 0,
    frees INTEGER NOT NULL DEFAULT 0,
    allocated_bytes INTEGER NOT NULL DEFAULT 0,
    freed_bytes INTEGER NOT NULL DEFAULT 0,
    live_blocks INTEGER NOT NULL DEFAULT 0,
    live_bytes INTEGER NOT NULL DEFAULT 0,
    peak_bytes INTEGER NOT NULL DEFAULT 0,
    peak_blocks INTEGER NOT NULL DEFAULT 0,
    peak_time_ns INTEGER NOT NULL DEFAULT 0,
    peak_low_bytes INTEGER NOT NULL DEFAULT 0,
    peak_high_bytes INTEGER NOT NULL DEFAULT 0,
    temporary_allocations INTEGER NOT NULL DEFAULT 0,
    inherited_frees INTEGER NOT NULL DEFAULT 0, -- frees of blocks that a forked child got from its parent
    foreign_frees INTEGER NOT NULL DEFAULT 0,   -- frees of blocks the shim never saw born
    note TEXT,                                  -- why recording ended early, and the like, in words
    earlier_frees INTEGER NOT NULL DEFAULT 0    -- frees of blocks from before the process was attached to; traces of
                                                -- before version 3 have no such column
);

CREATE TABLE thread (
    id INTEGER PRIMARY KEY,
    process_id INTEGER NOT NULL,
    tid INTEGER NOT NULL,
    name TEXT,
    start_ns INTEGER NOT NULL,
    allocations INTEGER NOT NULL DEFAULT 0,
    allocated_bytes INTEGER NOT NULL DEFAULT 0
);

-- A binary on disk, whoever loaded it.
CREATE TABLE module (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    build_id TEXT                       -- lower-case hex
);

-- Where a process had a module. address - bias = ELF virtual address.
CREATE TABLE mapping (
    process_id INTEGER NOT NULL,
    module_id INTEGER NOT NULL,
    start_address INTEGER NOT NULL,
    end_address INTEGER NOT NULL,
    bias INTEGER NOT NULL,
    load_ns INTEGER NOT NULL,
    unload_ns INTEGER
);

-- A place in code. offset: ELF virtual address of the return address (for a frame interrupted by a signal, of the
-- interrupted instruction + 1); look up offset - 1. Without a module, and for 'managed', offset is the absolute
-- address; whose it is stands in table code.
-- kind: 'native', 'managed', 'python', 'entry' (the allocation function, always a leaf), 'marker' (depth limit, lost,
-- tree full, guessed frames). For 'entry' and 'marker' offset is the wire's marker value.
CREATE TABLE location (
    id INTEGER PRIMARY KEY,
    module_id INTEGER,
    offset INTEGER NOT NULL,
    kind TEXT NOT NULL
);

-- A place in code that no native module covers, of one process: compiled at run time, a stub, or code of an assembly
-- that was compiled before (ReadyToRun).
CREATE TABLE code (
    location_id INTEGER PRIMARY KEY,
    process_id INTEGER NOT NULL,
    address INTEGER NOT NULL,           -- return address
    epoch INTEGER NOT NULL,             -- counts what was there in turn, as far as was noticed, from 1; 0: it stays
    seen_ns INTEGER NOT NULL,           -- when a stack with it allocated first, as exact as the coarse clock
    method_id INTEGER,                  -- set at close; NULL: nobody told what it was
    il_offset INTEGER                   -- of the call, by the IL map of that very code
);

-- Machine code of .NET methods that stacks run through, as the runtime told of it: one row for each time a method was
-- compiled. Set at close.
CREATE TABLE method (
    id INTEGER PRIMARY KEY,
    process_id INTEGER NOT NULL,
    module_id INTEGER,                  -- the assembly; NULL for what belongs to none (stubs, emitted methods)
    token INTEGER,                      -- metadata token of what was compiled (of an async method its MoveNext)
    type TEXT NOT NULL,                 -- type, name and signature in metadata's and IL's spelling; the name that its
    name TEXT NOT NULL,                 -- author gave it stands in frame
    signature TEXT NOT NULL,
    tier TEXT NOT NULL,                 -- 'minopts', 'optimized', 'tier0', 'tier1', 'osr', 'tier0instrumented',
                                        -- 'tier1instrumented', 'readytorun', 'dynamic', 'unknown'
    start_address INTEGER NOT NULL,
    size INTEGER,                       -- NULL: not told
    load_ns INTEGER,                    -- NULL: before anybody asked
    unload_ns INTEGER
);

-- Rows of a table, many in a piece (docs/trace-format.md says how). Rows of one run rise; a later run adds to earlier
-- ones. Since version 2.
CREATE TABLE packed (
    id INTEGER PRIMARY KEY,
    content TEXT NOT NULL,              -- 'stack', 'stack_total', 'thread_total', 'cohort', 'size_histogram',
                                        -- 'lifetime_histogram'
    run INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    bucket_ns INTEGER NOT NULL,         -- how wide buckets of cohorts are in it
    data BLOB NOT NULL
);

CREATE TABLE string (id INTEGER PRIMARY KEY, text TEXT NOT NULL);

-- What a location resolved to, when the trace was closed. position 0 is the innermost inlined function, the last row
-- the function itself. No row: not resolved.
CREATE TABLE frame (
    location_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    function_id INTEGER,                -- string, demangled
    file_id INTEGER,                    -- string, as in the debug information
    line INTEGER,
    inlined INTEGER NOT NULL,           -- 1 when it stands inside the next row's function
    PRIMARY KEY (location_id, position)
) WITHOUT ROWID;

-- The calling-context tree, merged over processes. parent_id 0 is the root (no row). A stack that allocates ends in
-- an 'entry' location; ids grow from parent to child.
CREATE TABLE stack (
    id INTEGER PRIMARY KEY,
    parent_id INTEGER NOT NULL,
    location_id INTEGER NOT NULL
);

-- live = allocations - frees. peak_*: live at the trace's peak; process_peak_*: at this process's own.
-- thread_id: the only thread that allocated there; NULL: several did, and thread_total has their shares (since version 2).
CREATE TABLE stack_total (
    process_id INTEGER NOT NULL,
    stack_id INTEGER NOT NULL,
    allocations INTEGER NOT NULL,
    allocated_bytes INTEGER NOT NULL,
    frees INTEGER NOT NULL,
    freed_bytes INTEGER NOT NULL,
    temporary INTEGER NOT NULL,
    temporary_bytes INTEGER NOT NULL,
    peak_blocks INTEGER NOT NULL,
    peak_bytes INTEGER NOT NULL,
    process_peak_blocks INTEGER NOT NULL,
    process_peak_bytes INTEGER NOT NULL,
    thread_id INTEGER,
    PRIMARY KEY (process_id, stack_id)
) WITHOUT ROWID;

-- What each thread allocated by a stack that several of a process's threads used; frees are of its blocks, whichever
-- thread freed them. Since version 2.
CREATE TABLE thread_total (
    thread_id INTEGER NOT NULL,
    stack_id INTEGER NOT NULL,
    allocations INTEGER NOT NULL,
    allocated_bytes INTEGER NOT NULL,
    frees INTEGER NOT NULL,
    freed_bytes INTEGER NOT NULL,
    PRIMARY KEY (thread_id, stack_id)
) WITHOUT ROWID;

-- Blocks by stack, birth bucket and death bucket (time / bucket_ns); death -1: never freed.
CREATE TABLE cohort (
    process_id INTEGER NOT NULL,
    stack_id INTEGER NOT NULL,
    birth INTEGER NOT NULL,
    death INTEGER NOT NULL,
    blocks INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (process_id, stack_id, birth, death)
) WITHOUT ROWID;

-- kind 'size': bucket = bit length of the size in bytes (0 for 0), so bucket b holds 2^(b-1) <= bytes < 2^b.
-- kind 'lifetime': b = bit length of the lifetime in microseconds, freed blocks only, as exact as the coarse clock.
CREATE TABLE histogram (
    process_id INTEGER NOT NULL,
    stack_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    blocks INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (process_id, stack_id, kind, bucket)
) WITHOUT ROWID;

-- Anonymous memory that a process has mapped itself, by stack, where that was recorded: calls of mmap and mremap, whole
-- pages, and whether anything was ever touched is not known. None of it is in any other table. mapped = mappings -
-- unmappings. Since version 5.
CREATE TABLE mapped_total (
    process_id INTEGER NOT NULL,
    stack_id INTEGER NOT NULL,
    mappings INTEGER NOT NULL,
    mapped_bytes INTEGER NOT NULL,
    unmappings INTEGER NOT NULL,        -- mappings of which nothing is left
    unmapped_bytes INTEGER NOT NULL,    -- also of mappings of which something is left
    peak_mappings INTEGER NOT NULL,     -- mapped at the process's moment of mapped_peak
    peak_bytes INTEGER NOT NULL,
    PRIMARY KEY (process_id, stack_id)
) WITHOUT ROWID;

-- When a process had most bytes mapped, in the order in which its calls were numbered. Since version 5.
CREATE TABLE mapped_peak (
    process_id INTEGER PRIMARY KEY,
    mappings INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    time_ns INTEGER NOT NULL
);

-- One row per process and bucket in which something was seen; time_ns is the bucket's start. Counters are since the process's start;
-- live_* at the bucket's end, live_peak_bytes the most within it.
CREATE TABLE timeline (
    process_id INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    live_blocks INTEGER NOT NULL,
    live_bytes INTEGER NOT NULL,
    live_peak_bytes INTEGER NOT NULL,
    allocations INTEGER NOT NULL,
    allocated_bytes INTEGER NOT NULL,
    rss_bytes INTEGER,
    PRIMARY KEY (process_id, time_ns)
) WITHOUT ROWID;

-- Where the resident memory was at one look; parts and 'unexplained' add up to the row named 'rss'.
-- Parts: 'live native blocks' (requested bytes), 'allocator overhead', 'kept by malloc', 'other allocators', 'GC heap' (of
-- .NET), 'other anonymous', 'thread stacks', 'mapped files', 'shared memory', 'JIT and loader' (of .NET), 'profiler' (ours),
-- 'other'. Where live blocks are not known one by one (sampled, paused, version 2) 'malloc heap' stands for the first three,
-- and the fourth is in 'other anonymous'; the oldest traces have 'heap' for all of these.
CREATE TABLE ledger (
    process_id INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    part TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (process_id, time_ns, part)
) WITHOUT ROWID;

-- Figures beside the parts of a ledger: 'untouched' (requested bytes of live blocks on pages that were never touched),
-- 'mapped' (anonymous memory that the process has mapped itself, where that is recorded; since version 5),
-- 'GC used' (bytes of .NET objects after a collection), 'GC committed' (what .NET's collector has committed, resident or
-- not). Since version 3.
CREATE TABLE ledger_gauge (
    process_id INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (process_id, time_ns, name)
) WITHOUT ROWID;

-- Pauses of all threads by .NET's garbage collector. generation: the oldest that was collected, -1 when not known. Since
-- version 3.
CREATE TABLE gc_pause (
    process_id INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,           -- when it began
    duration_ns INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (process_id, time_ns)
) WITHOUT ROWID;

-- Which births of a process were recorded from a moment on: all (sample_bytes 0), or samples, one in so many bytes on average.
-- No row: all, from its start. reason: 'start' (it began so), 'asked' (somebody wanted it), 'overhead' (all births would
-- have cost more than was allowed). Since version 5.
CREATE TABLE sampling (
    process_id INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    sample_bytes INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (process_id, time_ns)
) WITHOUT ROWID;

CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY,             -- TRACE@id
    name TEXT UNIQUE,                   -- TRACE@name
    reason TEXT NOT NULL,               -- 'asked', 'interval', 'growth', 'peak', 'rss', 'limit', 'signal'
    time_ns INTEGER NOT NULL
);

CREATE TABLE snapshot_total (
    snapshot_id INTEGER NOT NULL,
    process_id INTEGER NOT NULL,
    stack_id INTEGER NOT NULL,
    blocks INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (snapshot_id, process_id, stack_id)
) WITHOUT ROWID;

-- The same of mappings. Since version 5.
CREATE TABLE snapshot_mapped (
    snapshot_id INTEGER NOT NULL,
    process_id INTEGER NOT NULL,
    stack_id INTEGER NOT NULL,
    mappings INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (snapshot_id, process_id, stack_id)
) WITHOUT ROWID;

-- A heap-check. level: 'normal', 'strict' or 'draconian' at a process's end, 'asked' at any other moment. held_ns: how
-- long the process stood still; complete 0: it could not be looked at, and nothing is known but what was not freed.
-- suppressions: what the program itself did not want to be reported, as its __lsan_default_suppressions said it; NULL:
-- nothing. Since version 2, suppressions since version 4.
CREATE TABLE leak_check (
    id INTEGER PRIMARY KEY,
    process_id INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    level TEXT NOT NULL,
    held_ns INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    suppressions TEXT
);

-- What a heap-check found, piece by piece: the blocks that nothing surely holds, and the pointers between them
-- (docs/trace-format.md). Since version 2.
CREATE TABLE leak_graph (
    check_id INTEGER NOT NULL,
    part INTEGER NOT NULL,              -- from 0
    data BLOB NOT NULL,
    PRIMARY KEY (check_id, part)
);

-- Objects and blocks of a process by type, at a snapshot that was asked for by name, where the process could be held to
-- count them. kind: 'managed', 'python', 'cpp', 'unknown'. Since version 2.
CREATE TABLE snapshot_type (
    snapshot_id INTEGER NOT NULL,
    process_id INTEGER NOT NULL,
    type TEXT NOT NULL,
    kind TEXT NOT NULL,
    found_by TEXT NOT NULL,             -- how the type was found, in words
    count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (snapshot_id, process_id, type, kind)
) WITHOUT ROWID;

-- Blocks alive at a snapshot that was asked for by name.
CREATE TABLE block (
    snapshot_id INTEGER NOT NULL,
    process_id INTEGER NOT NULL,
    address INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    stack_id INTEGER NOT NULL,
    thread_id INTEGER,
    birth_ns INTEGER NOT NULL,
    PRIMARY KEY (snapshot_id, process_id, address)
) WITHOUT ROWID;

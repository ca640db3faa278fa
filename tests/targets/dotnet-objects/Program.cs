// Native blocks held by objects of every sort, said one by one, and as many more objects as are asked for. Then each line of
// its input adds 10 blocks and 1,000 objects, until its input ends. What it says of a block is its address upside down: no
// text is to look like a pointer.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeHeap.Targets;

internal sealed class Buffer : SafeHandle
{
    public Buffer(nint address)
        : base(0, ownsHandle: true) => SetHandle(address);

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Marshal.FreeHGlobal(handle);
        return true;
    }
}

internal sealed class Borrowed() : SafeHandle(0, ownsHandle: false)
{
    public override bool IsInvalid => false;

    protected override bool ReleaseHandle() => true;
}

internal sealed class Finalizable(nint block)
{
    private readonly nint _block = block;

    ~Finalizable() => Marshal.FreeHGlobal(_block);
}

internal sealed class Item(int number, object? next)
{
    public int Number { get; } = number;

    public object? Next { get; } = next;
}

internal sealed class Handled(nint block)
{
    public nint Block { get; } = block;
}

internal sealed class Session(bool disposed)
{
    private readonly bool _disposed = disposed;

    public bool IsOpen => !_disposed;
}

internal static class Program
{
    private static readonly Dictionary<int, SafeHandle> Handles = [];
    private static readonly nint[] Array = new nint[50];
    private static readonly List<Task> Tasks = [];
    private static readonly List<Session> Sessions = [];
    private static readonly List<Item> Grown = [];
    private static readonly TaskCompletionSource Never = new();
    private static readonly GCHandle[] Kept = new GCHandle[Environment.ProcessorCount];
    private static readonly object[] Keys = new object[Environment.ProcessorCount];
    private static readonly ConditionalWeakTable<object, Handled> Attached = [];
    private static Item[] _items = [];

    private static void Main(string[] arguments)
    {
        var items = arguments.Length > 0 ? int.Parse(arguments[0]) : 0;
        Hold();
        Lose();
        for (var processor = 0; processor < Kept.Length; processor++)
        {
            HoldByHandle(processor);
        }

        _items = new Item[items];
        for (var i = 0; i < items; i++)
        {
            _items[i] = new Item(i, i % 3 == 0 ? new byte[i % 24] : $"item {i}");
        }

        if (arguments.Length > 1)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Abandon(int.Parse(arguments[1]));
        }

        Overwrite(64);
        Console.WriteLine($"ready {Environment.ProcessId}");
        while (Console.In.ReadLine() is not null)
        {
            Grow();
            Console.WriteLine("grown");
        }

        GC.KeepAlive(_items);
        Console.WriteLine($"{Handles.Count} {Array.Length} {Tasks.Count} {Sessions.Count(session => session.IsOpen)}");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Hold()
    {
        for (var i = 0; i < 100; i++)
        {
            Handles.Add(i, new Buffer(Allocate("handle", 1001)));
        }

        for (var i = 0; i < 50; i++)
        {
            Array[i] = Allocate("array", 1002);
        }

        for (var i = 0; i < 10; i++)
        {
            Tasks.Add(Wait());
        }

        for (var i = 0; i < 8; i++)
        {
            Sessions.Add(new Session(disposed: i < 5));
        }
    }

    // The server collector has a table of handles for each processor.
    private static void HoldByHandle(int processor)
    {
        var thread = new Thread(() =>
        {
            ulong mask = 1UL << processor;
            if (processor < 64 && RunOn(0, sizeof(ulong), ref mask) != 0)
            {
                Console.Error.WriteLine($"cannot run on processor {processor}");
            }

            Kept[processor] = GCHandle.Alloc(new Handled(Allocate("handled", 1007)));
            Attached.Add(Keys[processor] = new object(), new Handled(Allocate("attached", 1008)));
        });
        thread.Start();
        thread.Join();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Grow()
    {
        for (var i = 0; i < 10; i++)
        {
            Handles.Add(Handles.Count, new Buffer(Allocate("grown", 1006)));
        }

        for (var i = 0; i < 1000; i++)
        {
            Grown.Add(new Item(i, null));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Lose()
    {
        for (var i = 0; i < 20; i++)
        {
            GC.KeepAlive(new Finalizable(Allocate("finalizable", 1003)));
        }

        for (var i = 0; i < 10; i++)
        {
            Allocate("lost", 1005);
        }
    }

    // Nobody holds them: some never disposed, some disposed, some that own nothing, and sessions that are disposed.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Abandon(int count)
    {
        for (var i = 0; i < count; i++)
        {
            GC.KeepAlive(new Buffer(Allocate("abandoned", 1009)));
            new Buffer(Marshal.AllocHGlobal(8)).Dispose();
            GC.KeepAlive(new Borrowed());
            GC.KeepAlive(new Session(disposed: true));
        }
    }

    private static async Task Wait()
    {
        var block = Allocate("async", 1004);
        await Never.Task;
        Marshal.FreeHGlobal(block);
    }

    // Cleared to its very end, which lies behind what was asked for: left-overs in it would be pointers.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static unsafe nint Allocate(string kind, int bytes)
    {
        var block = Marshal.AllocHGlobal(bytes);
        NativeMemory.Clear((void*)block, UsableBytes(block));
        Console.WriteLine($"{kind} {~block:x}");
        return block;
    }

    [DllImport("libc", EntryPoint = "sched_setaffinity")]
    private static extern int RunOn(int thread, nint bytes, ref ulong processors);

    [DllImport("libc", EntryPoint = "malloc_usable_size")]
    private static extern nuint UsableBytes(nint block);

    // What calls have left on the stack.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Overwrite(int depth)
    {
        Span<long> dead = stackalloc long[64];
        dead.Clear();
        if (depth > 0)
        {
            Overwrite(depth - 1);
        }
    }
}

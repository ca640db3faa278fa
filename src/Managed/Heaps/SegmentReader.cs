using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Diagnostics.Runtime;
using NativeHeap.Memory.Holding;

namespace NativeHeap.Managed.Heaps;

/// <summary>
/// What ClrMD reads a target by: what was copied from the copy, all else from the target. Registers come from who holds
/// the process: nobody else may ask the kernel for them. For one thread.
/// </summary>
/// <remarks>
/// Pages are kept only while the target stands still. Of a process that runs, a page read before and one read now are of
/// two moments: a new entry of a table would be followed into an old page where it is not yet, and the runtime's library
/// does not survive what it finds there.
/// </remarks>
/// <param name="inner">Reads the target.</param>
/// <param name="isStill">It never runs: it is a core.</param>
internal sealed class SegmentReader(IDataReader inner, bool isStill) : IDataReader
{
    private const int PageBytes = 4096;
    private const int MostPages = 1 << 15; // 128 MiB

    private readonly Dictionary<ulong, byte[]?> _pages = [];
    private IHeldProcess? _held;
    private HeapCopy? _copy;

    public string DisplayName => inner.DisplayName;

    public bool IsThreadSafe => false;

    public OSPlatform TargetPlatform => inner.TargetPlatform;

    public Architecture Architecture => inner.Architecture;

    public int ProcessId => inner.ProcessId;

    public int PointerSize => inner.PointerSize;

    /// <summary>The process stands still, held by this.</summary>
    public void Hold(IHeldProcess held)
    {
        _held = held;
        FlushCachedData();
    }

    /// <summary>The process runs again.</summary>
    public void Release()
    {
        _held = null;
        _pages.Clear();
    }

    /// <summary>Reads from a copy from now on what it has.</summary>
    public void Prefer(HeapCopy? copy) => _copy = copy;

    public IEnumerable<ModuleInfo> EnumerateModules() => inner.EnumerateModules();

    public void FlushCachedData()
    {
        _pages.Clear();
        inner.FlushCachedData();
    }

    public bool GetThreadContext(uint threadID, uint contextFlags, Span<byte> context) =>
        _held is null
            ? inner.GetThreadContext(threadID, contextFlags, context)
            : _held.Threads.FirstOrDefault(thread => thread.Tid == threadID)?.Registers is { } registers
                && Amd64Context.TryWrite(registers, context);

    public int Read(ulong address, Span<byte> buffer)
    {
        if (_copy is not null && _copy.TryRead(address, buffer))
        {
            return buffer.Length;
        }
        var page = address & ~(ulong)(PageBytes - 1);
        var offset = (int)(address - page);
        if (buffer.Length == 0 || buffer.Length > PageBytes - offset || !(isStill || _held is not null)
            || PageAt(page) is not { } bytes)
        {
            return inner.Read(address, buffer);
        }

        bytes.AsSpan(offset, buffer.Length).CopyTo(buffer);
        return buffer.Length;
    }

    public bool Read<T>(ulong address, out T value)
        where T : unmanaged
    {
        Unsafe.SkipInit(out value);
        var bytes = MemoryMarshal.AsBytes(new Span<T>(ref value));
        if (Read(address, bytes) == bytes.Length)
        {
            return true;
        }
        value = default;
        return false;
    }

    public T Read<T>(ulong address)
        where T : unmanaged
    {
        Read(address, out T value);
        return value;
    }

    public bool ReadPointer(ulong address, out ulong value) => Read(address, out value);

    public ulong ReadPointer(ulong address) => Read<ulong>(address);

    private byte[]? PageAt(ulong page)
    {
        if (_pages.TryGetValue(page, out var known))
        {
            return known;
        }
        if (_pages.Count >= MostPages)
        {
            _pages.Clear();
        }
        var bytes = new byte[PageBytes];
        var whole = inner.Read(page, bytes) == PageBytes ? bytes : null;
        _pages.Add(page, whole);
        return whole;
    }
}

/// <summary>CONTEXT of winnt.h for x86-64, in which the runtime's libraries want registers on every system.</summary>
internal static class Amd64Context
{
    private const uint ControlAndInteger = 0x00100003; // CONTEXT_AMD64 | CONTEXT_CONTROL | CONTEXT_INTEGER
    private const int SmallestBytes = 0x100;

    // Offset in CONTEXT and index in struct user_regs_struct of rax, rcx, rdx, rbx, rbp, rsi, rdi, r8 … r15.
    private static readonly (int Offset, int Index)[] s_registers =
    [
        (0x78, 10), (0x80, 11), (0x88, 12), (0x90, 5), (0xA0, 4), (0xA8, 13), (0xB0, 14),
        (0xB8, 9), (0xC0, 8), (0xC8, 7), (0xD0, 6), (0xD8, 3), (0xE0, 2), (0xE8, 1), (0xF0, 0),
    ];

    internal static bool TryWrite(ThreadRegisters registers, Span<byte> context)
    {
        const int general = 15;
        if (registers.Words.Length < general || context.Length < SmallestBytes)
        {
            return false;
        }
        context.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(context[0x30..], ControlAndInteger);
        BinaryPrimitives.WriteUInt16LittleEndian(context[0x38..], 0x33); // cs of 64-bit programs
        BinaryPrimitives.WriteUInt16LittleEndian(context[0x42..], 0x2B); // ss
        BinaryPrimitives.WriteUInt32LittleEndian(context[0x44..], 0x202); // flags: interrupts on, as always
        BinaryPrimitives.WriteUInt64LittleEndian(context[0x98..], registers.StackPointer);
        BinaryPrimitives.WriteUInt64LittleEndian(context[0xF8..], registers.InstructionPointer);
        foreach (var (offset, index) in s_registers)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(context[offset..], registers.Words.Span[index]);
        }
        return true;
    }
}

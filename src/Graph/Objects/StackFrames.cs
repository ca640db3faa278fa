using System.Globalization;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Graph.Objects;

/// <summary>
/// Which function of which thread a word on a stack belongs to. Managed frames are known; of native ones, whose unwind
/// tables are not read here, the nearest return address below the word tells whose frame it is in: a word that points
/// behind a call instruction. For one thread.
/// </summary>
internal sealed class StackFrames(HeapPicture picture, TypeStatistics types)
{
    private const int LongestCall = 7;

    private readonly List<(HeldThread Thread, MemoryMapping Stack)> _stacks =
    [
        .. picture.Threads.Select(thread => (thread, Stack: MappingOf(picture, thread.Registers?.StackPointer ?? 0)))
            .Where(pair => pair.Stack is not null).Select(pair => (pair.thread, pair.Stack!)),
    ];

    /// <summary>Whether an address lies in the part of a stack that is in use.</summary>
    public bool IsStack(ulong location) => Find(location) is not null;

    /// <summary>"main, thread 12 (worker)".</summary>
    public string NameOf(ulong location)
    {
        var thread = Find(location)!;
        return $"{FunctionAt(thread, location) ?? "an unknown function"}, {Spoken(thread)}";
    }

    /// <summary>"thread 12 (worker)": the one whose thread-local memory an address lies in.</summary>
    public string ThreadAt(ulong location)
    {
        var thread = picture.Threads.MinBy(thread =>
            Math.Abs((long)(location - (thread.Registers?.ThreadPointer ?? 0))));
        return thread is null ? "a thread" : Spoken(thread);
    }

    private static MemoryMapping? MappingOf(HeapPicture picture, ulong address) =>
        picture.Mappings.FirstOrDefault(mapping => mapping.Start <= address && address < mapping.End);

    private string Spoken(HeldThread thread)
    {
        var name = picture.Pid is { } pid ? new ProcessReader(pid).ReadThreadName(thread.Tid) : null;
        return string.Create(CultureInfo.InvariantCulture, $"thread {thread.Tid}{(name is null ? "" : $" ({name})")}");
    }

    private HeldThread? Find(ulong location)
    {
        foreach (var (thread, stack) in _stacks)
        {
            if (location >= thread.Registers!.StackPointer - 128 && location < stack.End && location >= stack.Start)
            {
                return thread;
            }
        }

        return null;
    }

    private string? FunctionAt(HeldThread thread, ulong location)
    {
        var managed = picture.ManagedFrames.Where(frame => frame.Tid == thread.Tid && frame.StackPointer <= location)
            .MaxBy(frame => frame.StackPointer);
        var floor = Math.Max(managed?.StackPointer ?? 0, thread.Registers!.StackPointer & ~7UL);
        for (var at = location & ~7UL; at > floor; at -= 8)
        {
            if (picture.Memory.TryReadWord(at - 8, out var word) && FunctionReturnedTo(word) is { } name)
            {
                return name;
            }
        }

        return managed?.Describe() ?? FunctionName(thread.Registers.InstructionPointer);
    }

    private string? FunctionReturnedTo(ulong word)
    {
        if (types.Modules.Find(word) is not { } module)
        {
            return null;
        }

        Span<byte> code = stackalloc byte[LongestCall];
        return module.Read(word - LongestCall, code) == LongestCall && EndsInCall(code) ? FunctionName(word - 1) : null;
    }

    // E8 rel32, or FF /2 with or without a prefix, an index byte, and a displacement.
    private static bool EndsInCall(ReadOnlySpan<byte> code)
    {
        if (code[^5] == 0xE8)
        {
            return true;
        }

        for (var length = 2; length <= LongestCall; length++)
        {
            if (code[^length] == 0xFF && ((code[^(length - 1)] >> 3) & 7) == 2)
            {
                return true;
            }
        }

        return false;
    }

    private string? FunctionName(ulong address)
    {
        if (types.Modules.Find(address) is not { } module)
        {
            return null;
        }

        if (module.Function(address) is not { } symbol)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(module.Path)}+0x{address - module.Bias:x}");
        }

        types.Demangler.Learn([symbol.Name], CancellationToken.None);
        return types.Demangler[symbol.Name];
    }
}

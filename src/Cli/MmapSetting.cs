using System.CommandLine;
using NativeHeap.Collect.Launching;

namespace NativeHeap.Cli;

/// <summary>Whether mappings are recorded: by <c>--mmap</c>, or by the environment.</summary>
internal sealed class MmapSetting
{
    private readonly Option<bool> _option = new("--mmap")
    {
        Description = "Record anonymous memory that the program maps itself (mmap, munmap, mremap) by stack, too; kept apart from the heap "
            + "(nativeheap report TRACE --mmap).",
    };

    /// <summary>The option, for the verb that has it.</summary>
    public Option Option => _option;

    /// <summary>What was asked for.</summary>
    public bool Read(ParseResult result) =>
        result.GetValue(_option) || Environment.GetEnvironmentVariable(ShimSettings.Mmap) == "yes";
}
